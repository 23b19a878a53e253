package picture

import (
	"math"
	"strings"
)

// moveTo and lineTo are parts of a path.
func moveTo(x, y float64) string { return "M" + num(x) + "," + num(y) }
func lineTo(x, y float64) string { return "L" + num(x) + "," + num(y) }

// direction is the unit vector from one point to another.
func direction(x1, y1, x2, y2 float64) (dx, dy float64) {
	length := math.Hypot(x2-x1, y2-y1)
	if length == 0 {
		return 1, 0
	}
	return (x2 - x1) / length, (y2 - y1) / length
}

// arrow is the path of a line with a head at its end.
func arrow(x1, y1, x2, y2 float64) string {
	dx, dy := direction(x1, y1, x2, y2)
	bx, by := x2-headWidth*dx, y2-headWidth*dy
	return strings.Join([]string{
		moveTo(x1, y1), lineTo(x2, y2),
		moveTo(bx-headHeight*dy, by+headHeight*dx), lineTo(x2, y2), lineTo(bx+headHeight*dy, by-headHeight*dx),
	}, "")
}

// cross is the path of a line that ends in a cross.
func cross(x1, y1, x2, y2 float64) string {
	const r = 5
	return moveTo(x1, y1) + lineTo(x2, y2) +
		moveTo(x2-r, y2-r) + lineTo(x2+r, y2+r) + moveTo(x2-r, y2+r) + lineTo(x2+r, y2-r)
}
