package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRecordReader(t *testing.T) {
	cases := []struct {
		name, stream string
		records      []string
		end          string
	}{
		{"nothing", "", nil, "EOF"},
		{"two and an empty one", "3\nabc0\n5\nde\nfg", []string{"abc", "", "de\nfg"}, "EOF"},
		{"cut in the length", "3\nabc1", []string{"abc"}, "read the length of a record: unexpected EOF"},
		{"cut in the record", "5\nabc", nil, "read a record of 5 bytes: unexpected EOF"},
		{"no number", "x\n", nil, `read the length of a record: "x" is no decimal number`},
		{"negative", "-1\n", nil, `read the length of a record: "-" is no decimal number`},
		{"no length at all", "\n", nil, `read the length of a record: "" is no length up to 67108864`},
		{"too long", "67108865\n", nil, `read the length of a record: "67108865" is no length up to 67108864`},
		{"endless digits", strings.Repeat("1", 30), nil, `read the length of a record: "111111111111111111111" is no decimal number`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			reader := NewRecordReader(strings.NewReader(c.stream))
			for _, want := range c.records {
				got, err := reader.Next()
				require.NoError(t, err)
				require.Equal(t, want, string(got))
			}
			_, err := reader.Next()
			require.EqualError(t, err, c.end)
		})
	}
}

func FuzzRecordReader(f *testing.F) {
	for _, seed := range []string{"", "3\nabc", "0\n", "12", "99999999999999999999\n", "-5\nx", "5\nab"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		reader := NewRecordReader(bytes.NewReader(stream))
		var total int
		for {
			record, err := reader.Next()
			if err != nil {
				if errors.Is(err, io.EOF) && total != len(stream) && !hasLeadingZeros(stream) {
					t.Fatalf("clean end after %d of %d bytes", total, len(stream))
				}
				return
			}
			total += len(Record(record))
			again, err := NewRecordReader(bytes.NewReader(Record(record))).Next()
			if err != nil || !bytes.Equal(again, record) {
				t.Fatalf("a written record reads as %q, %v", again, err)
			}
		}
	})
}

// hasLeadingZeros says that a length may take more bytes in the stream than Record writes.
func hasLeadingZeros(stream []byte) bool { return bytes.Contains(stream, []byte("0")) }
