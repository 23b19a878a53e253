package main

func Example() {
	main()
	// Output:
	// client 0: 1048576 bytes, the same: true, <nil>
	// client 1: 1048576 bytes, the same: true, <nil>
	// client 2: 1048576 bytes, the same: true, <nil>
	// client 3: 1048576 bytes, the same: true, <nil>
	// client 4: 1048576 bytes, the same: true, <nil>
}
