package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// MaxRecord is the largest record in bytes that a RecordReader takes.
const MaxRecord = 64 << 20

// maxLengthDigits bounds the length line, so that garbage is refused before memory is taken.
const maxLengthDigits = 20

// Record frames one message: decimal length, newline, that many bytes.
func Record(message []byte) []byte {
	out := make([]byte, 0, len(message)+12)
	out = strconv.AppendInt(out, int64(len(message)), 10)
	out = append(out, '\n')
	return append(out, message...)
}

// RecordReader takes a RecordIO stream apart.
type RecordReader struct {
	in *bufio.Reader
}

// NewRecordReader reads records from in.
func NewRecordReader(in io.Reader) *RecordReader {
	return &RecordReader{in: bufio.NewReader(in)}
}

// Next returns the next record. A stream that ends between two records gives io.EOF, one that ends inside a record
// io.ErrUnexpectedEOF; a length that is no decimal number or larger than MaxRecord is an error.
func (r *RecordReader) Next() ([]byte, error) {
	length, err := r.length()
	if err != nil {
		return nil, err
	}
	record := make([]byte, 0, min(length, 64<<10))
	for len(record) < length {
		// Growing in steps keeps a lying length from taking memory that no data backs.
		step := min(length-len(record), 64<<10)
		start := len(record)
		record = append(record, make([]byte, step)...)
		if _, err := io.ReadFull(r.in, record[start:]); err != nil {
			return nil, fmt.Errorf("read a record of %d bytes: %w", length, unexpected(err))
		}
	}
	return record, nil
}

func (r *RecordReader) length() (int, error) {
	var digits []byte
	for {
		b, err := r.in.ReadByte()
		if err != nil {
			if len(digits) == 0 && errors.Is(err, io.EOF) {
				return 0, io.EOF
			}
			return 0, fmt.Errorf("read the length of a record: %w", unexpected(err))
		}
		if b == '\n' {
			break
		}
		if b < '0' || b > '9' || len(digits) >= maxLengthDigits {
			return 0, fmt.Errorf("read the length of a record: %q is no decimal number", append(digits, b))
		}
		digits = append(digits, b)
	}
	length, err := strconv.Atoi(string(digits))
	if err != nil || length > MaxRecord {
		return 0, fmt.Errorf("read the length of a record: %q is no length up to %d", digits, MaxRecord)
	}
	return length, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
