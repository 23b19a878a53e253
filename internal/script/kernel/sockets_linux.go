package kernel

import (
	"reflect"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/script/vocabulary"
)

// sockets are the sockets of a machine, for asserts.
type sockets struct{ *machine }

// Info implements vocabulary.Sockets.
func (s sockets) Info(fd int64) (vocabulary.Info, error) {
	file := s.asked(fd)
	i, err := unix.GetsockoptTCPInfo(file, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return nil, err
	}
	scales, err := getOption(file, vocabulary.Option{Level: unix.IPPROTO_TCP, Name: unix.TCP_INFO}, scalesAt+1)
	if err != nil {
		return nil, err
	}
	return info{i, scales[scalesAt]}, nil
}

// Option implements vocabulary.Sockets.
func (s sockets) Option(fd int64, o vocabulary.Option, size int) ([]byte, error) {
	return getOption(s.asked(fd), o, size)
}

// asked is the descriptor of this process that is asked.
func (s sockets) asked(fd int64) int {
	if fd == vocabulary.LastUsed {
		s.mu.Lock()
		fd = s.last
		s.mu.Unlock()
	}
	return s.file(fd)
}

// scalesAt is the place of two window scales of four bits in struct tcp_info, which package unix
// leaves out.
const scalesAt = 6

// info is the tcp_info of a connection.
type info struct {
	*unix.TCPInfo
	scales byte
}

// Field implements vocabulary.Info: tcpi_snd_cwnd is Snd_cwnd of package unix.
func (i info) Field(name string) (int64, error) {
	short, linux := strings.CutPrefix(name, "tcpi_")
	switch {
	case !linux || short == "":
		return 0, vocabulary.FieldUnknown(name)
	case short == "snd_wscale":
		return int64(i.scales & 0xf), nil
	case short == "rcv_wscale":
		return int64(i.scales >> 4), nil
	}
	f := reflect.ValueOf(i.TCPInfo).Elem().FieldByName(strings.ToUpper(short[:1]) + short[1:])
	if !f.IsValid() {
		return 0, vocabulary.FieldUnknown(name)
	}
	return int64(f.Uint()), nil
}
