package picture

import (
	"fmt"
	"slices"
)

// maxColumns is how many nodes a ladder shows; the others share its last column.
const maxColumns = 12

// columns are the names of the nodes of these packets, in an order in which packets mostly go from
// a column to its neighbour: the longest ways come first, and a node stands beside the one that it
// got a packet from.
func (a *Analysis) columns(list []int) []string {
	ways := a.ways(list)
	slices.SortStableFunc(ways, func(x, y []string) int { return len(y) - len(x) })
	var order []string
	for _, way := range ways {
		for i, node := range way {
			if slices.Contains(order, node) {
				continue
			}
			at := len(order)
			if i > 0 {
				at = slices.Index(order, way[i-1]) + 1
			} else if next := firstOf(order, way); next >= 0 {
				at = next
			}
			order = slices.Insert(order, at, node)
		}
		if len(order) > 4*maxColumns {
			break
		}
	}
	return order
}

// firstOf is the place of the first node of a way that has one, or -1.
func firstOf(order, way []string) int {
	for _, node := range way {
		if i := slices.Index(order, node); i >= 0 {
			return i
		}
	}
	return -1
}

// ways are the different ways that packets went, each a list of nodes.
func (a *Analysis) ways(list []int) (ways [][]string) {
	at := make(map[int][]string) // the way so far, by the index of the packet
	seen := map[string]bool{}
	for _, i := range list {
		p := &a.Packets[i]
		way := []string{p.From}
		if before, ok := at[p.Previous]; ok && p.Previous >= 0 {
			delete(at, p.Previous)
			way = slices.Clip(before)
		}
		if p.To != "" && !slices.Contains(way, p.To) {
			way = append(way, p.To)
		}
		at[i] = way
	}
	for _, i := range list {
		if way, ok := at[i]; ok {
			if key := fmt.Sprintf("%q", way); !seen[key] && len(seen) < 1000 {
				seen[key] = true
				ways = append(ways, way)
			}
		}
	}
	return ways
}

// fold cuts a list of columns to at most maxColumns, and says in which column each node is.
func fold(order []string) (columns []string, place map[string]int) {
	columns, place = order, map[string]int{}
	if len(order) > maxColumns {
		columns = append(slices.Clone(order[:maxColumns-1]), "other nodes")
	}
	for i, node := range order {
		place[node] = min(i, len(columns)-1)
	}
	return columns, place
}
