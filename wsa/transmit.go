package wsa

import "io"

// TransmitFileBuffers is TRANSMIT_FILE_BUFFERS (mswsock.h), the data that TransmitFile sends before
// and after the file.
type TransmitFileBuffers struct {
	Head []byte // the data before the file
	Tail []byte // the data after the file
}

// TransmitPacketsElement is TRANSMIT_PACKETS_ELEMENT (mswsock.h), a part of the data that
// TransmitPackets sends. The part is in memory or in a file.
type TransmitPacketsElement struct {
	// Flags is TP_ELEMENT_MEMORY or TP_ELEMENT_FILE, maybe with TP_ELEMENT_EOP. Without either of
	// the first two, the part is in a file.
	Flags uint32

	Buffer []byte      // the data of a part in memory
	File   io.ReaderAt // the file of a part in a file
	Offset int64       // the offset of the part in the file, in bytes; -1 stands for 0
	Length uint32      // the length of the part in the file, in bytes; 0: to the end of the file
}
