package picture

import (
	"fmt"
	"html"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// An svg is a picture under way. The zero svg is empty.
type svg struct{ strings.Builder }

// printf appends formatted text. Strings in the arguments must have gone through esc.
func (s *svg) printf(format string, args ...any) { fmt.Fprintf(s, format, args...) }

// num writes a coordinate, to a tenth.
func num(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

// fine writes a coordinate in a part that can be enlarged, to a thousandth.
func fine(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	return strconv.FormatFloat(math.Round(v*1000)/1000, 'f', -1, 64)
}

// line appends a line.
func (s *svg) line(class string, x1, y1, x2, y2 float64) {
	s.printf("<path class=%q d=\"M%s,%sL%s,%s\"/>\n", class, num(x1), num(y1), num(x2), num(y2))
}

// text appends a text. The anchor is start, middle or end.
func (s *svg) text(class string, x, y float64, anchor, text string) {
	s.printf("<text class=%q x=\"%s\" y=\"%s\" text-anchor=%q>%s</text>\n", class, num(x), num(y), anchor, esc(text))
}

// esc is a text of strangers for SVG and HTML.
func esc(text string) string { return html.EscapeString(clean(text, 400)) }

// clean makes a text of strangers harmless: valid UTF-8, no control characters and nothing that
// turns around the direction of writing, and no longer than a number of characters.
func clean(text string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range text {
		if n++; n > most {
			b.WriteRune('…')
			break
		}
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			r = ' '
		case !unicode.IsPrint(r) && r != ' ':
			r = unicode.ReplacementChar
		}
		b.WriteRune(r)
	}
	return b.String()
}

// width is about how wide a monospaced text is, in units of pictures.
func width(text string) float64 { return charWidth * float64(len([]rune(text))) }

// charWidth is the width of a character of the labels, with some room.
const charWidth = 6.7

// style is the look of the pictures, in light and in dark.
const style = `
.wsstack{--bg:#fff;--fg:#1b1f24;--dim:#6b7280;--grid:#e5e7eb;--a:#1d4ed8;--b:#0f766e;--re:#c2410c;--lost:#dc2626;--sack:#9333ea;--ack:#15803d;--win:#a16207;--hot:#fde68a;color:var(--fg);background:var(--bg)}
@media (prefers-color-scheme:dark){.wsstack{--bg:#14171c;--fg:#e5e7eb;--dim:#9ca3af;--grid:#31363f;--a:#7aa2ff;--b:#4fd1c5;--re:#fb923c;--lost:#f87171;--sack:#d8a4ff;--ack:#6ee787;--win:#e3b341;--hot:#6b5310}}
svg.wsstack text{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:var(--fg)}
svg.wsstack text.title{font-size:13px;font-weight:600}
svg.wsstack text.dim{fill:var(--dim)}
svg.wsstack text.halo{paint-order:stroke;stroke:var(--bg);stroke-width:4px;stroke-linejoin:round}
svg.wsstack text .note{fill:var(--re)}
svg.wsstack .lost text .note{fill:var(--lost)}
svg.wsstack path{fill:none;stroke:var(--fg);stroke-width:1.2;vector-effect:non-scaling-stroke}
svg.wsstack path.grid{stroke:var(--grid);stroke-width:1}
svg.wsstack path.axis{stroke:var(--dim);stroke-width:1}
svg.wsstack path.life{stroke:var(--dim);stroke-width:1.5}
svg.wsstack path.gap{stroke:var(--dim);stroke-width:1;stroke-dasharray:2 3}
svg.wsstack .d0 path,svg.wsstack path.d0{stroke:var(--a)}
svg.wsstack .d1 path,svg.wsstack path.d1{stroke:var(--b)}
svg.wsstack .retransmission path,svg.wsstack path.retransmission{stroke:var(--re)}
svg.wsstack .lost path,svg.wsstack path.lost{stroke:var(--lost)}
svg.wsstack .changed path{stroke-dasharray:5 2}
svg.wsstack path.hit{stroke:transparent!important;stroke-width:9;stroke-dasharray:none}
svg.wsstack .selected path.hit,svg.wsstack path.selected{stroke:var(--hot)!important}
svg.wsstack path.bar{stroke-width:2.4;stroke-linecap:square}
svg.wsstack path.dot{stroke-width:8;stroke-linecap:round}
svg.wsstack path.mark{stroke-width:5;stroke-linecap:round}
svg.wsstack path.sack{stroke:var(--sack);stroke-width:2.4}
svg.wsstack path.ack{stroke:var(--ack)}
svg.wsstack path.win{stroke:var(--win)}
svg.wsstack path.cwnd{stroke:var(--a);stroke-width:1.6}
svg.wsstack path.ssthresh{stroke:var(--sack);stroke-dasharray:5 3}
svg.wsstack path.flight{stroke:var(--b)}
svg.wsstack path.srtt{stroke:var(--a);stroke-width:1.6}
svg.wsstack path.rto{stroke:var(--lost);stroke-dasharray:5 3}
svg.wsstack .p,svg.wsstack path.bar{cursor:pointer}
`

// open begins a picture. A picture that stands alone brings its style and a background.
func (s *svg) open(w, h float64, kind string, attributes string, alone bool) {
	space := ""
	if alone {
		space = ` xmlns="http://www.w3.org/2000/svg"`
	}
	s.printf("<svg%s class=\"wsstack %s\" width=\"%s\" height=\"%s\" viewBox=\"0 0 %s %s\"%s>\n",
		space, kind, num(w), num(h), num(w), num(h), attributes)
	if alone {
		s.printf("<style>%s</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"var(--bg)\"/>\n", style)
	}
}

// close ends a picture.
func (s *svg) close() { s.WriteString("</svg>\n") }

// writeTo writes a picture out.
func (s *svg) writeTo(w io.Writer) error {
	_, err := io.WriteString(w, s.String())
	return err
}
