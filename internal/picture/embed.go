package picture

import "html/template"

// Style is the look of pictures inside of a page, for elements of the class wsstack.
const Style template.CSS = style

// Ladder is the ladder diagram of a connection, of all packets with -1, for a page that has Style.
// It shows this many packets at most.
func (a *Analysis) Ladder(flow, most int) template.HTML {
	return template.HTML(a.ladder(flow, most, false).String())
}
