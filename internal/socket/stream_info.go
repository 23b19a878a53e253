package socket

import (
	"time"

	"github.com/wsstack/wsstack/internal/tcp"
	"github.com/wsstack/wsstack/wsa"
)

// TCPInfo implements options.Endpoint. Where there is no connection, what it
// tells is 0 but for the state and the sizes. ECN and tail loss probes aren't
// counted: their numbers are 0.
func (v *optionView) TCPInfo() wsa.TCPInfo {
	s := (*Socket)(v)
	info := wsa.TCPInfo{RcvBuf: uint32(s.values.RecvBuffer.Bytes)}
	switch {
	case s.backlog != nil:
		info.State = wsa.TCPSTATE_LISTEN
		return info
	case s.conn == nil:
		return info
	}
	var i tcp.Info
	established := false
	s.conn.Do(func(_ time.Duration, e *tcp.Conn) { i, established = e.Info(), e.Established() != 0 })
	info.State = tcpInfoStates[s.connState()]
	if !established {
		return info
	}
	if i.Timestamps {
		info.TimestampsEnabled = 1
	}
	if age, ok := v.ConnectedFor(); ok {
		info.ConnectionTimeMs = uint64(age.Milliseconds())
	}
	info.Mss, info.Cwnd, info.BytesInFlight = uint32(i.MSS), uint32(i.Cwnd), uint32(i.InFlight)
	info.SndWnd, info.RcvWnd = uint32(i.SndWnd), uint32(i.RcvWnd)
	info.RttUs, info.MinRttUs = uint32(i.SRTT.Microseconds()), uint32(i.MinRTT.Microseconds())
	if i.MinRTT > 0 {
		info.MinRttUs = max(info.MinRttUs, 1)
	}
	info.BytesIn, info.BytesOut, info.BytesRetrans = i.BytesIn, i.BytesOut, uint32(i.BytesResent)
	info.DupAcksIn, info.OutOfOrderPktsIn, info.BytesReordered = uint32(i.DupAcksIn), uint32(i.EarlySegments), uint32(i.EarlyBytes)
	info.FastRetrans, info.TimeoutEpisodes, info.SynRetrans = uint32(i.Fast), uint32(i.Timeouts), i.SynResent
	return info
}

var tcpInfoStates = [...]uint32{
	tcp.Closed:      wsa.TCPSTATE_CLOSED,
	tcp.SynSent:     wsa.TCPSTATE_SYN_SENT,
	tcp.SynReceived: wsa.TCPSTATE_SYN_RCVD,
	tcp.Established: wsa.TCPSTATE_ESTABLISHED,
	tcp.FinWait1:    wsa.TCPSTATE_FIN_WAIT_1,
	tcp.FinWait2:    wsa.TCPSTATE_FIN_WAIT_2,
	tcp.CloseWait:   wsa.TCPSTATE_CLOSE_WAIT,
	tcp.Closing:     wsa.TCPSTATE_CLOSING,
	tcp.LastAck:     wsa.TCPSTATE_LAST_ACK,
	tcp.TimeWait:    wsa.TCPSTATE_TIME_WAIT,
}
