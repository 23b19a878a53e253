// Package syntax reads scripts of network tests: the language of packetdrill, and what wsstack adds
// to it. It knows words and shapes and nothing of what they mean: names such as SO_KEEPALIVE stay
// names. The package is pure.
package syntax

import "time"

// A Pos is a place in a script. Both numbers begin at 1; Column counts characters.
type Pos struct{ Line, Column int }

// A Script is a file that has been read.
type Script struct {
	Name     string    // of the file
	Settings []Setting // in the order of the file, without "define", which the parser has applied
	Events   []*Event

	// Ignored is how many shell commands and pieces of code there are, which nothing runs: those
	// among the Events, and those without a time besides.
	Ignored int
}

// A Setting is "--name=value" or "--name" in front of the first event, or "name=value" of a Link.
type Setting struct {
	Pos         Pos
	Name, Value string // the name without dashes in front, and with "_" for those inside
	HasValue    bool
}

// An Event is something that happens at a time.
type Event struct {
	Pos    Pos // of the time
	Time   Time
	Text   string // how the script has the action, on one line and without comments
	Action Action
}

// A TimeKind says from when a time counts.
type TimeKind uint8

// The kinds of times.
const (
	Absolute TimeKind = iota // since the script has begun
	Relative                 // "+": since the event before
	AnyTime                  // "*"
)

// A Time says when an event happens or may happen.
type Time struct {
	Kind     TimeKind
	From, To time.Duration // To is From but for "a~b"

	// Blocks says that the event is a call that blocks, "a...b": from From until Until, which counts
	// as From does.
	Blocks bool
	Until  time.Duration
}

// An Action is what happens: a *Packet, *Call, *Assert, *Nothing, *Profile, *Link, or *Ignored.
type Action interface {
	isAction()
	String() string // as the printer has it
}

func (*Packet) isAction()  {}
func (*Call) isAction()    {}
func (*Assert) isAction()  {}
func (*Nothing) isAction() {}
func (*Profile) isAction() {}
func (*Link) isAction()    {}
func (*Ignored) isAction() {}

// A Packet comes from the peer, or is expected from the stack.
type Packet struct {
	Pos     Pos
	Inbound bool // "<": from the peer to the stack
	IP      IPInfo

	// Ports are those of "5000 > 80", the source first; nil: those of the connection that the
	// script has had last.
	Ports *[2]uint16

	// One of these is set.
	TCP  *Segment
	UDP  *Datagram
	ICMP *ICMP

	// BadChecksum is ours: "bad checksum" at the end of an inbound packet spoils the checksum of the
	// transport protocol.
	BadChecksum bool
}

// IPInfo is what a packet says of its IP header, "[ect0]" or "(tos 0x3, ttl 5)". What isn't set
// isn't compared, and has a default in an inbound packet.
type IPInfo struct {
	ECN       ECN
	TOS       *uint8
	TTL       *uint8
	FlowLabel *uint32
}

// ECN is what is said of the two ECN bits.
type ECN uint8

// What can be said of the ECN bits.
const (
	UnsaidECN ECN = iota
	NoECN         // 00
	ECT0          // 10
	ECT1          // 01
	CE            // 11
	ECT01         // either of 10 and 01
)

// A Segment is one of TCP. Numbers are relative: the SYN of each side has 0. After a script's "SYN
// with data" the data begin at 1 all the same, as there.
type Segment struct {
	Flags    string // of the letters F S R P . U E W A, as written; "" for "-"
	Start    uint32 // the first sequence number
	End      uint32
	Length   int     // of the payload
	Ack      *uint32 // nil: none is said
	Window   *int    // as on the wire, unscaled; nil: not compared, and the largest of an inbound segment
	Urgent   *uint16
	Options  []Option
	AnyOpts  bool   // "<...>": the options aren't compared
	Payload  []byte // ours: a text in quotes at the end; nil: any, and zeros in an inbound segment
	HasRange bool   // "1:11(10)" is said; without, an outbound segment's isn't compared (ours)
}

// An Option of TCP, by its word in the script: mss, wscale, sackOK, sack, TS, nop, eol, FO, FOEXP,
// md5, or "unknown" for ours, kind and bytes.
type Option struct {
	Pos    Pos
	Name   string
	Values []uint32 // mss: one; wscale: one; sack: pairs; TS: val and ecr; unknown: the kind
	Bytes  []byte   // FO, FOEXP, md5, unknown
}

// A Datagram is one of UDP, with the length of its payload.
type Datagram struct {
	Length  int
	Payload []byte // ours, as that of Segment
}

// An ICMP message. The quotation is what it quotes of a packet of the stack.
type ICMP struct {
	Type, Code string // words, such as unreachable and frag_needed
	MTU        *uint32
	Quoted     *Quotation // nil: the last packet of the stack
	EchoID     *uint16
}

// A Quotation is "[1:1461(1460)]", "[udp (1000)]" or "[raw (8)]", for which neither TCP nor UDP is
// set.
type Quotation struct {
	TCP    bool
	UDP    bool
	Start  uint32 // of TCP
	End    uint32
	Length int
	Ports  *[2]uint16 // ours, as those of Packet: "[5000 > 80 1:1461(1460)]"
}

// A Call is one of the program: a system call of Linux, or a function of Winsock.
type Call struct {
	Pos    Pos
	Name   string
	Args   []Expr
	Result Expr   // nil: it isn't compared (ours: a call without "= …")
	Error  string // the name of the code after "-1": EAGAIN, WSAEWOULDBLOCK; "" for none
}

// An Expr is a value: *Number, *Float, *Text, *Name, *Any, *Or, *Unary, *Binary, *List, *Struct, or
// *Apply.
type Expr interface {
	At() Pos        // where it begins
	String() string // as the printer has it
}

// The expressions.
type (
	// A Number is an integer, decimal or hexadecimal.
	Number struct {
		Pos   Pos
		Value int64
		Hex   bool
	}

	// A Float is a number with a point.
	Float struct {
		Pos   Pos
		Value float64
	}

	// A Text is in quotes. Several in a row are one. Its bytes need not be UTF-8.
	Text struct {
		Pos   Pos
		Value string
		More  bool // "abc"...: what follows isn't compared
	}

	// A Name is a word such as SO_KEEPALIVE.
	Name struct {
		Pos  Pos
		Word string
	}

	// Any is "...".
	Any struct{ Pos Pos }

	// Or joins flags with "|".
	Or struct {
		Pos   Pos
		Parts []Expr // two and more, none of them an *Or
	}

	// Unary is "-", "~" or "!" in front of a value.
	Unary struct {
		Pos     Pos
		Op      string
		Operand Expr
	}

	// Binary is one of the operators << >> & ^ + - * / %, or in an Assert also one of == != < <= >
	// >= && || and "in", whose right side is a List. In "1 <= a <= 5" the left side of the second
	// operator is the first comparison, and it means that both hold.
	Binary struct {
		Pos         Pos
		Op          string
		Left, Right Expr
	}

	// A List is in brackets: "[4]", "[{..., 10}, {..., 20}]".
	List struct {
		Pos   Pos
		Items []Expr
	}

	// A Struct is in braces, of fields with names or without: "{fd=3, events=POLLIN}", "{..., 10}",
	// "{msg_name(...)=..., msg_iov(1)=[{..., 10}]}".
	Struct struct {
		Pos    Pos
		Fields []Field
	}

	// Apply is a function of values: htons(80), inet_addr("192.0.2.1"), tcpi_rto(4).
	Apply struct {
		Pos  Pos
		Name string
		Args []Expr
	}
)

// A Field of a Struct.
type Field struct {
	Pos   Pos
	Name  string // "" without
	Args  []Expr // of "msg_iov(1)="
	Value Expr
}

// At returns where the expression begins.
func (e *Number) At() Pos { return e.Pos }
func (e *Float) At() Pos  { return e.Pos }
func (e *Text) At() Pos   { return e.Pos }
func (e *Name) At() Pos   { return e.Pos }
func (e *Any) At() Pos    { return e.Pos }
func (e *Or) At() Pos     { return e.Pos }
func (e *Unary) At() Pos  { return e.Pos }
func (e *Binary) At() Pos { return e.Pos }
func (e *List) At() Pos   { return e.Pos }
func (e *Struct) At() Pos { return e.Pos }
func (e *Apply) At() Pos  { return e.Pos }

// An Assert is ours: "assert tcpi_snd_cwnd == 10", "assert SO_RCVBUF(4) >= 8192". Names and Applies
// are fields and options of the socket in parentheses, or of the one that the script has used last.
type Assert struct {
	Pos  Pos
	Cond Expr
}

// Nothing is ours: "+5 nothing" says that nothing is sent from the event before until then. Other
// packets that have come until then and that no event has expected fail it, too.
type Nothing struct{ Pos Pos }

// A Profile is ours: "profile windows", in front of all calls.
type Profile struct {
	Pos  Pos
	Name string
}

// A Link is ours: "link delay=50ms loss=0.1 seed=3" changes the way between peer and stack, in both
// directions, with the names of the flags of wsstack exec.
type Link struct {
	Pos      Pos
	Settings []Setting
}

// Ignored is a shell command or a piece of code, which Options have left out. It does nothing; the
// event after it counts from its time all the same.
type Ignored struct {
	Pos   Pos
	Shell bool   // a command for the shell, in backquotes; otherwise code in "%{ }%"
	Text  string // without the marks around it
}
