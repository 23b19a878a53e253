package provider

import "github.com/wsstack/wsstack/wsa"

// DisconnectEx starts to disconnect a stream socket (API-DisconnectEx): a FIN
// follows everything that was sent before, overlapped sends included; later sends
// fail with WSAESHUTDOWN. flags is 0 or TF_REUSE_SOCKET, reserved 0. No number of
// bytes is transferred.
//
// With flags 0 it is done when the peer has acknowledged the FIN. The socket is a
// connected one whose sends have ended, as after Shutdown with SD_SEND: it receives
// until it is closed, and Connect fails with WSAEISCONN (observed).
//
// With TF_REUSE_SOCKET it is done when the peer's FIN has come, too (assumed): a peer
// that doesn't close keeps it waiting, until CloseSocket or Cancel. What was received
// can be read until then, and is lost afterwards. A socket that Connect or ConnectEx
// had connected is bound then, as before, for ConnectEx; one that Accept or AcceptEx
// had connected is fresh, for AcceptEx (API-ConnectEx, API-AcceptEx). It has its
// options and its selection of events. TIME-WAIT goes on without it, so that ConnectEx
// to the same peer from the same port fails with WSAEADDRINUSE for a minute, unless
// the port is one that connect has chosen, which it then chooses anew (PO-7).
//
// Until SO_UPDATE_ACCEPT_CONTEXT or SO_UPDATE_CONNECT_CONTEXT it works as well
// (assumed).
//
// Errors, when nothing has started: WSAEINVAL for other flags, a reserved that isn't
// 0, and a socket without WSA_FLAG_OVERLAPPED; WSAENOTCONN on a socket that isn't
// connected, whose connection has ended, or that is no stream; for flags 0 after
// Shutdown with SD_SEND or another DisconnectEx WSAENOTCONN in profile Documented,
// success in the measured ones (C-86); WSAENOBUFS when 4,096 are pending. Errors of the
// operation: WSAECONNRESET, WSAECONNABORTED, WSAENETRESET (KA-31),
// WSA_OPERATION_ABORTED, WSAENETDOWN; after Cancel the FIN is out all the same.
func (p *Provider) DisconnectEx(s wsa.SOCKET, flags, reserved uint32) (*Overlapped, error) {
	sock, err := p.socket(s)
	if err != 0 {
		return nil, p.result(err)
	}
	return p.started(sock.DisconnectEx(flags, reserved))
}

// Disconnect is DisconnectEx without an OVERLAPPED: it returns when the operation is
// done, on a non-blocking socket as well, with its error; WSAEINTR when the socket is
// closed meanwhile. It needs no WSA_FLAG_OVERLAPPED.
func (p *Provider) Disconnect(s wsa.SOCKET, flags, reserved uint32) error {
	sock, err := p.socket(s)
	if err == 0 {
		err = sock.Disconnect(flags, reserved)
	}
	return p.result(err)
}
