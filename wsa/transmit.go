package wsa

import "io"

// TransmitFileBuffers is TRANSMIT_FILE_BUFFERS (mswsock.h): what TransmitFile sends
// before and after the file.
type TransmitFileBuffers struct {
	Head, Tail []byte
}

// TransmitPacketsElement is TRANSMIT_PACKETS_ELEMENT (mswsock.h): a part of what
// TransmitPackets sends, from memory or from a file.
type TransmitPacketsElement struct {
	// Flags is TP_ELEMENT_MEMORY or TP_ELEMENT_FILE, which is meant where neither is
	// set, and TP_ELEMENT_EOP.
	Flags uint32

	Buffer []byte // the data of an element in memory, all of it

	File   io.ReaderAt
	Offset int64  // where the data begins in the file; -1: at its beginning
	Length uint32 // bytes of the file; 0: all from Offset on
}
