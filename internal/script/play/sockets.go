package play

import (
	"encoding/binary"
	"fmt"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/script/calls"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// sockets are the sockets of a Machine, for "assert".
type sockets struct {
	machine  *calls.Machine
	provider *provider.Provider
	host     *simnet.Host
}

// tcpInfoVersion is the latest version of SIO_TCP_INFO.
const tcpInfoVersion = 2

// socket is the socket of a descriptor, or of the latest call.
func (s *sockets) socket(fd int64) (wsa.SOCKET, error) {
	if fd == vocabulary.LastUsed {
		last, ok := s.machine.Last()
		if !ok {
			return wsa.INVALID_SOCKET, fmt.Errorf("no call has used a socket yet")
		}
		fd = last
	}
	handle, ok := s.machine.Socket(fd)
	if !ok {
		return wsa.INVALID_SOCKET, fmt.Errorf("the script has no socket %d", fd)
	}
	return handle, nil
}

// Info implements vocabulary.Sockets.
func (s *sockets) Info(fd int64) (vocabulary.Info, error) {
	handle, err := s.socket(fd)
	if err != nil {
		return nil, err
	}
	out := make([]byte, wsa.SizeofTCPInfoV2)
	version := binary.LittleEndian.AppendUint32(nil, tcpInfoVersion)
	if _, err := s.provider.Ioctl(handle, wsa.SIO_TCP_INFO, version, out); err != nil {
		return nil, err
	}
	info := &vocabulary.StackInfo{}
	var code wsa.Errno
	if info.Winsock, code = wsa.ParseTCPInfo(out, tcpInfoVersion); code != 0 {
		return nil, code
	}
	if info.Socket, err = s.find(handle); err != nil {
		return nil, err
	}
	return info, nil
}

// find is the snapshot of a connection. The two faces of a stack have names of their own for a
// socket; its addresses are the same for both.
func (s *sockets) find(handle wsa.SOCKET) (endpoint.Info, error) {
	local, err := s.provider.GetSockName(handle)
	if err != nil {
		return endpoint.Info{}, err
	}
	remote, err := s.provider.GetPeerName(handle)
	if err != nil {
		return endpoint.Info{}, err
	}
	for _, info := range s.host.Sockets() {
		if info.TCP != nil && info.Local == local && info.Remote == remote {
			return info, nil
		}
	}
	return endpoint.Info{}, wsa.WSAENOTCONN
}

// Option implements vocabulary.Sockets.
func (s *sockets) Option(fd int64, o vocabulary.Option, size int) ([]byte, error) {
	handle, err := s.socket(fd)
	if err != nil {
		return nil, err
	}
	value := make([]byte, size)
	length := int32(size)
	if err := s.provider.GetSockOpt(handle, o.Level, o.Name, value, &length); err != nil {
		return nil, err
	}
	return value[:length], nil
}
