package calls

import (
	"io"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

var transmitFunctions = map[string]function{
	"TransmitFile": boolean(7, 7,
		`TransmitFile(4, NULL, 0, 0, NULL, {Head="head", HeadLength=4, Tail="tail", TailLength=4}, TF_DISCONNECT) = 1`,
		(*invocation).transmitFile),
	"TransmitPackets": boolean(6, 6,
		`TransmitPackets(4, [{dwElFlags=TP_ELEMENT_MEMORY, cLength=5, pBuffer="hello"}], 1, 0, NULL, 0) = 1`,
		(*invocation).transmitPackets),
}

// transmitFile is TransmitFile of what is in memory: a script has no files.
func (c *invocation) transmitFile() result {
	f := c.file(0, socketFile)
	c.unused(1, 1, "the file: scripts have none, and the buffers")
	total, block := uint32(c.length(2)), uint32(c.length(3))
	number := c.overlapped(4)
	buffers := c.transmitBuffers(5)
	flags := uint32(c.numberOr(6, vocabulary.TransmitFlags, 0))
	var none io.ReaderAt
	if number == 0 {
		return c.make(func() (int64, error) {
			_, err := c.p.TransmitFile(f.socket, none, total, block, buffers, flags)
			return 1, err
		})
	}
	op := &operation{file: f, complete: func(*invocation, int) {}}
	return c.start(number, op, 1, func() (*provider.Overlapped, error) {
		return c.p.TransmitFileAsync(f.socket, none, 0, total, block, buffers, flags)
	})
}

// transmitBuffers is a TRANSMIT_FILE_BUFFERS; nil: NULL.
func (c *invocation) transmitBuffers(i int) *wsa.TransmitFileBuffers {
	if c.none(i) {
		return nil
	}
	fields := c.fields(c.arg(i), `{Head="head", HeadLength=4, Tail="tail", TailLength=4}`, "Head", "HeadLength", "Tail", "TailLength")
	return &wsa.TransmitFileBuffers{
		Head: c.memory(fields["Head"], fields["HeadLength"]), Tail: c.memory(fields["Tail"], fields["TailLength"]),
	}
}

// transmitPackets is TransmitPackets of elements in memory.
func (c *invocation) transmitPackets() result {
	f := c.file(0, socketFile)
	var elements []wsa.TransmitPacketsElement
	for _, e := range c.list(1) {
		elements = append(elements, c.packetElement(e))
	}
	c.counted(2, len(elements), "elements")
	size, number := uint32(c.number(3, vocabulary.Plain)), c.overlapped(4)
	flags := uint32(c.numberOr(5, vocabulary.TransmitFlags, 0))
	if number == 0 {
		return c.make(func() (int64, error) {
			_, err := c.p.TransmitPackets(f.socket, elements, size, flags)
			return 1, err
		})
	}
	op := &operation{file: f, complete: func(*invocation, int) {}}
	return c.start(number, op, 1, func() (*provider.Overlapped, error) {
		return c.p.TransmitPacketsAsync(f.socket, elements, size, flags)
	})
}

// packetElement is a TRANSMIT_PACKETS_ELEMENT.
func (c *invocation) packetElement(e syntax.Expr) (element wsa.TransmitPacketsElement) {
	fields := c.fields(e, `{dwElFlags=TP_ELEMENT_MEMORY, cLength=5, pBuffer="hello"}`, "dwElFlags", "cLength", "pBuffer")
	if flags := fields["dwElFlags"]; flags != nil {
		n, err := c.numbers().Number(vocabulary.TransmitFlags, flags)
		c.check(err, flags)
		element.Flags = uint32(n)
	}
	element.Buffer = c.memory(fields["pBuffer"], fields["cLength"])
	return element
}

// fields are the values in a structure, by name.
func (c *invocation) fields(e syntax.Expr, pattern string, known ...string) map[string]syntax.Expr {
	s, ok := e.(*syntax.Struct)
	if !ok {
		c.wrong(e.At(), "write "+pattern, "%s is no structure", e)
		return nil
	}
	values := make(map[string]syntax.Expr)
	for _, f := range s.Fields {
		if !same(f.Name, known...) {
			c.wrong(f.Pos, "write "+pattern, "the structure has no field %q", f.Name)
		}
		values[f.Name] = f.Value
	}
	return values
}

// memory is a text, or zeros for "...", of a length, which is that of the text unless it is said.
func (c *invocation) memory(content, length syntax.Expr) []byte {
	said, _ := content.(*syntax.Text)
	n := 0
	if said != nil {
		n = len(said.Value)
	}
	if length != nil && !vocabulary.IsAny(length) {
		n = max(c.size(length), 0)
	}
	bytes := c.allocate(n, c.call.Pos)
	if said != nil {
		copy(bytes, said.Value)
	}
	return bytes
}
