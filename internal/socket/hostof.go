package socket

// HostOf is the Host that a *stack.Stack, or what embeds one, is for its sockets. Package stack sets
// it: it imports this package, and its users have no business with the methods of a Host. HostOf
// panics for anything else.
var HostOf func(stack any) Host
