// Package socket implements Winsock sockets: their states, their calls, what their options do,
// their network events and overlapped operations, and closing.
//
// A Socket is made by package stack (DialContext, Listen, ListenPacket) or package provider. Its
// methods return a wsa.Errno, zero for success; the net faces of package endpoint return
// *net.OpError around one.
//
// The names of the files say what they are about:
//
//	socket.go, state.go        what a socket is, and all transitions of its states
//	behaviour….go              what streams, datagrams and raw sockets do in their own way
//	bind.go, recv_msg.go, …    the calls, by their names; extension.go, disconnect.go and
//	                           transmit.go have those of mswsock, overlapped.go their operations
//	stream_….go, datagram_….go the two media: a connection of package transport, an endpoint of
//	                           netstack
//	options….go                what the option table sees of a socket, and the effects of options
//	events….go                 WSAEventSelect, select and WSAPoll
//	face.go, info.go, debug.go what package endpoint and package stack see of a socket
package socket
