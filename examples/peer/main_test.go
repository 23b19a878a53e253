package main

func Example() {
	main()
	// Output:
	// client: S seq 0 ""
	// peer:   SA ack 1 window 5
	// client: A seq 1 ""
	// client: A seq 1 "hello"
	// peer:   A ack 6 window 0
	// client: A seq 5 ""
	// peer:   RA ack 6 window 0
	// client: WSAECONNRESET is true
}
