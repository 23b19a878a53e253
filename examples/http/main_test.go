package main

func Example() {
	main()
	// Output: hello from 10.0.0.1
}
