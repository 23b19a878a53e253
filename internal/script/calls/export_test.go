package calls

// Usage says how a call is written.
func Usage(name string) string { return functions[name].usage }
