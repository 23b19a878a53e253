package congestion

// Convert returns a controller of another algorithm that goes on where c is: with its
// window, its threshold and what a time-out has left to repair. What c could undo is
// forgotten, and CUBIC begins a stage at the present window.
func Convert(c Controller, algorithm Algorithm) Controller {
	type based interface{ base() *window }
	next := New(algorithm, 1, 1)
	*next.(based).base() = *c.(based).base()
	return next
}

// base is the part that both algorithms have.
func (w *window) base() *window { return w }
