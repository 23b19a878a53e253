package provider

import (
	"io"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/wsa"
)

// TransmitFile sends a file on a connected stream socket, with what buffers has before
// and after it (API-TransmitFile). It returns when everything is accepted, in both modes
// and without WSA_FLAG_OVERLAPPED as well; n is the number of bytes, those of buffers
// included. A nil file is none, nil buffers are empty.
//
// It sends bytesToWrite bytes from the beginning of the file, for 0 all of it; less,
// without an error, when the file ends before (assumed). They are sent in blocks of
// bytesPerSend bytes; 64 KiB for 0, and at most, which is what is in memory at a time.
// The calling goroutine reads the file.
//
//	TF_DISCONNECT        a FIN follows the last byte. The call returns when it has
//	                     its place there
//	TF_REUSE_SOCKET      with TF_DISCONNECT: the call returns when the peer's FIN has
//	                     come, and when all that the peer has sent is read. Then the
//	                     socket may be connected again, as after DisconnectEx
//	TF_WRITE_BEHIND      with SO_SNDBUF 0, the call doesn't wait for the peer's
//	                     acknowledgement (assumed); otherwise it never does
//	TF_USE_…             without effect
//
// Other sends on the socket, while it runs, come in between; those after it has begun with
// TF_DISCONNECT fail with WSAESHUTDOWN.
//
// Errors: those of Send but WSAEWOULDBLOCK and WSAETIMEDOUT; WSAEINVAL for a datagram or raw
// socket, in the measured profiles WSAENOTCONN where it has no peer (WC-8); WSAEINVAL for
// TF_REUSE_SOCKET without TF_DISCONNECT, other flags (assumed), and for more than
// 2,147,483,646 bytes in all; WSAEINTR when the socket is closed meanwhile. A file that
// can't be read ends the call with the wsa.Errno that the error is or wraps, else with
// WSASYSCALLFAILURE (assumed); what was read before has been sent, and no FIN follows.
func (p *Provider) TransmitFile(s wsa.SOCKET, file io.ReaderAt, bytesToWrite, bytesPerSend uint32, buffers *wsa.TransmitFileBuffers, flags uint32) (n int, _ error) {
	return p.transmit(s, socket.NewFileTransmission(file, 0, bytesToWrite, bytesPerSend, buffers, flags))
}

// TransmitFileAsync is TransmitFile with an OVERLAPPED, which has the offset where the
// data begins in the file. Of the sends that were started it is one, in their order.
// Goroutines of the stack read the file, four at most for all its sockets, so that a slow
// one keeps nothing waiting but other files; Stack.Close waits for reads in progress. The
// file belongs to the operation until it is done, and after Cancel and CloseSocket until
// a read in progress has returned.
//
// Errors, when nothing has started: those of TransmitFile that say nothing of the file;
// WSAEINVAL for an offset that isn't within the file, if that has a method Size or Stat;
// WSAEINVAL on a socket without WSA_FLAG_OVERLAPPED; WSAENOBUFS when 4,096 are pending.
func (p *Provider) TransmitFileAsync(s wsa.SOCKET, file io.ReaderAt, offset int64, bytesToWrite, bytesPerSend uint32, buffers *wsa.TransmitFileBuffers, flags uint32) (*Overlapped, error) {
	return p.transmitAsync(s, socket.NewFileTransmission(file, offset, bytesToWrite, bytesPerSend, buffers, flags))
}

// TransmitPackets sends parts of memory and of files on a connected socket of any kind
// (API-TransmitPackets). On a datagram socket an element with TP_ELEMENT_EOP ends a
// datagram, and so do sendSize bytes: for 0, as many as fit into one; 0xFFFFFFFF leaves the
// ends to the elements. A last element needs no flag. An element in memory that is empty,
// with TP_ELEMENT_EOP, is an empty datagram.
//
// Flags are those of TransmitFile but TF_WRITE_BEHIND, in other respects, too, it is as
// TransmitFile.
//
// Errors are those of TransmitFile; WSAENOTCONN for a datagram socket without a peer;
// WSAEINVAL for TF_DISCONNECT on one (assumed), for an element of two kinds, or of a nil
// file, and an offset that isn't within the file; WSAEMSGSIZE for a datagram above
// SO_MAX_MSG_SIZE, after those before it were sent.
func (p *Provider) TransmitPackets(s wsa.SOCKET, elements []wsa.TransmitPacketsElement, sendSize, flags uint32) (n int, _ error) {
	return p.transmit(s, socket.NewPacketsTransmission(elements, sendSize, flags))
}

// TransmitPacketsAsync is TransmitPackets with an OVERLAPPED, otherwise as
// TransmitFileAsync.
func (p *Provider) TransmitPacketsAsync(s wsa.SOCKET, elements []wsa.TransmitPacketsElement, sendSize, flags uint32) (*Overlapped, error) {
	return p.transmitAsync(s, socket.NewPacketsTransmission(elements, sendSize, flags))
}

func (p *Provider) transmit(s wsa.SOCKET, t *socket.Transmission) (n int, _ error) {
	sock, err := p.socket(s)
	if err == 0 {
		n, err = sock.Transmit(t)
	}
	return p.sent(n, err)
}

func (p *Provider) transmitAsync(s wsa.SOCKET, t *socket.Transmission) (*Overlapped, error) {
	sock, err := p.socket(s)
	if err != 0 {
		return nil, p.result(err)
	}
	return p.started(sock.TransmitAsync(t))
}
