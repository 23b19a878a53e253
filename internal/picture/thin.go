package picture

// thin chooses at most so many of a list of packets: the first and the last ones, and of those
// between, the remarkable ones; of too many of these every second one, or third, and so on.
func (a *Analysis) thin(list []int, most int) []int {
	if len(list) <= most {
		return list
	}
	all := 0
	for _, i := range list {
		if a.Packets[i].remarkable() {
			all++
		}
	}
	edge := max(most/4, (most-all)/2)
	chosen := append([]int{}, list[:edge]...)
	var remarkable []int
	for _, i := range list[edge : len(list)-edge] {
		if a.Packets[i].remarkable() {
			remarkable = append(remarkable, i)
		}
	}
	room := most - 2*edge
	stride := max(1, (len(remarkable)+room-1)/max(room, 1))
	for i := 0; i < len(remarkable); i += stride {
		chosen = append(chosen, remarkable[i])
	}
	return append(chosen, list[len(list)-edge:]...)
}

// gaps says for each chosen packet how many of the whole list were left out right before it.
func gaps(list, chosen []int) []int {
	missing := make([]int, len(chosen))
	k := 0
	for c, i := range chosen {
		for list[k] != i {
			missing[c]++
			k++
		}
		k++
	}
	return missing
}
