package main

func Example() {
	main()
	// Output:
	// socket: <nil>
	// setsockopt: <nil>
	// connect: WSAECONNREFUSED: connection refused
	// recv: WSAENOTCONN: not connected
}
