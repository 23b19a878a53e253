package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Print writes what table does, such as Report.Figures, to w, and into a file of several sections
// as the one called name (see Section). An empty file name means that there is none.
func Print(w io.Writer, file, name string, table func(io.Writer) error) error {
	var b bytes.Buffer
	if err := table(&b); err != nil {
		return err
	}
	if file != "" {
		if err := Section(file, name, b.Bytes()); err != nil {
			return err
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Section replaces what a Markdown file has between the lines <!-- begin name --> and
// <!-- end name -->, and keeps everything else. A file without the section gets it at its end, and
// one that doesn't exist is made. An error says where one marker is without the other.
func Section(file, name string, text []byte) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	begin, end := fmt.Appendf(nil, "<!-- begin %s -->\n", name), fmt.Appendf(nil, "<!-- end %s -->\n", name)
	before, after, found := bytes.Cut(old, begin)
	if found {
		if _, after, found = bytes.Cut(after, end); !found {
			return fmt.Errorf("bench: %s: section %s has no end", file, name)
		}
	} else if bytes.Contains(old, end) {
		return fmt.Errorf("bench: %s: section %s has no beginning", file, name)
	} else if len(old) > 0 {
		before = append(bytes.TrimRight(old, "\n"), "\n\n"...)
	}
	text = append(bytes.Trim(text, "\n"), '\n')
	return os.WriteFile(file, bytes.Join([][]byte{before, begin, []byte("\n"), text, []byte("\n"), end, after}, nil), 0o644)
}
