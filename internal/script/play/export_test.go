package play

// SetMaxSteps sets MaxSteps for a test, and returns a function that sets it back.
func SetMaxSteps(n int) func() {
	before := maxSteps
	maxSteps = n
	return func() { maxSteps = before }
}
