package socket

import (
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// A transfer is one way to send or receive, as far as its flags differ.
type transfer uint8

// The transfers: columns of flagTable.
const (
	recvCall  transfer = iota // recv, recvfrom and WSARecv without an OVERLAPPED
	recvAsync                 // WSARecv with one
	recvMsg                   // WSARecvMsg
	sendCall                  // send, sendto, WSASend and WSASendTo, overlapped or not
	sendMsg                   // WSASendMsg
	transfers
)

// unsupported marks a flag that a call knows and that no socket of this provider
// supports.
const unsupported options.Kind = 1 << 7

// A flagRow is one flag: the kinds of sockets on which each call takes it. On the
// others it is WSAEOPNOTSUPP, in a call with nothing in its column WSAEINVAL.
type flagRow struct {
	flag     int32
	on       [transfers]options.Kind
	without  int32 // flags it doesn't go with: WSAEOPNOTSUPP
	blocking bool  // it is WSAEOPNOTSUPP on a non-blocking socket
}

// flagTable are the flags of the send and receive calls, by the pages of WSARecv,
// WSASend, recv and send.
var flagTable = [...]flagRow{
	// Urgent data is what streams have (OB-1, OB-4).
	{flag: wsa.MSG_OOB, on: [transfers]options.Kind{
		recvCall: options.Stream, recvAsync: options.Stream, recvMsg: options.Stream, sendCall: options.Stream, sendMsg: options.Stream}},

	// "Valid only for nonoverlapped sockets": in a call without an OVERLAPPED.
	{flag: wsa.MSG_PEEK, on: [transfers]options.Kind{
		recvCall: options.AnyKind, recvAsync: unsupported, recvMsg: options.AnyKind}},

	// The page has no exception for overlapped calls on non-blocking sockets.
	{flag: wsa.MSG_WAITALL, on: [transfers]options.Kind{
		recvCall: options.Stream, recvAsync: options.Stream, recvMsg: options.Stream},
		without: wsa.MSG_OOB | wsa.MSG_PEEK | wsa.MSG_PARTIAL, blocking: true},

	// No transport here sends parts of messages (XP1_PARTIAL_MESSAGE); a receive
	// may say that it would take one.
	{flag: wsa.MSG_PARTIAL, on: [transfers]options.Kind{
		recvCall: options.AnyKind, recvAsync: options.AnyKind, recvMsg: options.AnyKind, sendCall: unsupported, sendMsg: unsupported}},

	// A hint, which has no effect: nothing delays a receive that has data.
	{flag: wsa.MSG_PUSH_IMMEDIATE, on: [transfers]options.Kind{
		recvCall: options.AnyKind, recvAsync: options.AnyKind, recvMsg: options.AnyKind}},

	// Ignored (DR-3).
	{flag: wsa.MSG_DONTROUTE, on: [transfers]options.Kind{
		recvCall: options.AnyKind, recvAsync: options.AnyKind, recvMsg: options.AnyKind, sendCall: options.AnyKind, sendMsg: options.AnyKind}},

	{flag: wsa.MSG_ERRQUEUE, on: [transfers]options.Kind{recvMsg: options.Datagram | options.Raw}},
}

// checkFlags decides whether a call on a socket of this kind, in this blocking
// mode, takes its flags: WSAEINVAL for one that it doesn't know, before
// WSAEOPNOTSUPP for one that it can't do. It is asked once for each call.
func (t transfer) checkFlags(flags int32, kind options.Kind, nonblocking bool) (err wsa.Errno) {
	unknown := flags
	for i := range flagTable {
		r := &flagTable[i]
		if flags&r.flag == 0 || r.on[t] == 0 {
			continue
		}
		unknown &^= r.flag
		if r.on[t]&kind == 0 || flags&r.without != 0 || r.blocking && nonblocking {
			err = wsa.WSAEOPNOTSUPP
		}
	}
	if unknown != 0 {
		return wsa.WSAEINVAL
	}
	return err
}
