package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/wsstack/wsstack/options"
)

func TestSelectOptions(t *testing.T) {
	table := optionTable()
	got, err := selectOptions(optionTable(), nil)
	if err != nil || len(got) != len(table) {
		t.Errorf("selectOptions() = %d options, %v, want all %d", len(got), err, len(table))
	}
	got, err = selectOptions(optionTable(), []string{"TCP_NODELAY", "so_linger"})
	if err != nil || len(got) != 2 || got[0].Symbol != "SO_LINGER" || got[1].Symbol != "TCP_NODELAY" {
		t.Errorf("selectOptions(TCP_NODELAY, so_linger) = %v, %v", got, err)
	}
	if _, err := selectOptions(optionTable(), []string{"SO_LINGER", "SO_KEPALIVE"}); err == nil ||
		!strings.Contains(err.(*failure).hint, "SO_KEEPALIVE") {
		t.Errorf("selectOptions(SO_KEPALIVE): %#v, want a hint with SO_KEEPALIVE", err)
	}
	if near := nearest(table, "COMPLETELY_DIFFERENT_THING"); len(near) != 0 {
		t.Errorf("nearest() of a strange name = %v, want none", near)
	}
}

// Every option has a line, and each line as many columns as the heading.
func TestWriteOptions(t *testing.T) {
	var out bytes.Buffer
	table := optionTable()
	if err := writeOptions(&out, table); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	if len(lines) != len(table)+1 {
		t.Fatalf("writeOptions printed %d lines, want %d", len(lines), len(table)+1)
	}
	column := strings.Index(lines[0], "SYMBOL")
	for i, o := range table {
		if !strings.HasPrefix(lines[i+1][column:], o.Symbol+" ") {
			t.Errorf("line %d has no %s in the column of the symbol: %s", i+1, o.Symbol, lines[i+1])
		}
	}
}

// The number of an option is an int, a control code a DWORD.
func TestWriteOptionsJSON(t *testing.T) {
	var out bytes.Buffer
	if err := writeJSON(&out, optionTable()); err != nil {
		t.Fatal(err)
	}
	var list []struct {
		Symbol string
		Number int64
	}
	if err := json.Unmarshal(out.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != len(optionTable()) {
		t.Errorf("the JSON holds %d rows, want %d", len(list), len(optionTable()))
	}
	numbers := map[string]int64{}
	for _, o := range list {
		numbers[o.Symbol] = o.Number
	}
	for _, o := range options.Table() {
		if numbers[o.Symbol] != int64(o.Number) {
			t.Errorf("the number of %s is %d, want %d", o.Symbol, numbers[o.Symbol], o.Number)
		}
	}
	for _, c := range options.Controls() {
		if numbers[c.Symbol] != int64(c.Code) {
			t.Errorf("the number of %s is %d, want %d", c.Symbol, numbers[c.Symbol], c.Code)
		}
	}
}

// A number may be signed or not, decimal, hexadecimal, or as the table prints it.
func TestSelectOptions_ByNumber(t *testing.T) {
	for word, want := range map[string]string{
		"0x1001": "SO_SNDBUF", "4097": "SO_SNDBUF",
		"~0x0080": "SO_DONTLINGER", "-129": "SO_DONTLINGER", "0xFFFFFF7F": "SO_DONTLINGER", "4294967167": "SO_DONTLINGER",
		"0x98000004": "SIO_KEEPALIVE_VALS", "2550136836": "SIO_KEEPALIVE_VALS", "-1744830460": "SIO_KEEPALIVE_VALS",
	} {
		got, err := selectOptions(optionTable(), []string{word})
		if err != nil || len(got) != 1 || got[0].Symbol != want {
			t.Errorf("selectOptions(%s) = %v, %v, want %s", word, got, err, want)
		}
	}
	// The lower 32 bits of these are numbers of options.
	for _, word := range []string{"0x100001001", "-4294963199", "~", "0x", "1001h"} {
		if got, err := selectOptions(optionTable(), []string{word}); err == nil {
			t.Errorf("selectOptions(%s) = %v, want an error", word, got)
		}
	}
	// Each number that the table prints finds its row.
	for _, o := range optionTable() {
		if !o.named(optionNumber(o)) {
			t.Errorf("%s isn't found as %s", o.Symbol, optionNumber(o))
		}
	}
}

func TestOptionNumber(t *testing.T) {
	for n, want := range map[int64]string{0x1001: "0x1001", 8: "0x0008", -129: "~0x0080", -5: "~0x0004"} {
		if got := optionNumber(optionRow{Number: n}); got != want {
			t.Errorf("optionNumber(%d) = %q, want %q", n, got, want)
		}
	}
}

// The control codes stand behind the options, with their number as in the
// headers and their input and output.
func TestOptionTable_ControlCodes(t *testing.T) {
	table := optionTable()
	if want := len(options.Table()) + len(options.Controls()); len(table) != want {
		t.Fatalf("optionTable() has %d rows, want %d", len(table), want)
	}
	got, err := selectOptions(table, []string{"sio_tcp_info", "SIO_GET_QOS"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := writeOptions(&out, got); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ioctl  0xd8000027  SIO_TCP_INFO", "in DWORD, out TCP_INFO_v0", "none", "not supported: there is no quality of service"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
}
