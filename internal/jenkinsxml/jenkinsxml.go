// Package jenkinsxml reads the XML that Jenkins writes: version 1.1, with references to control characters, which encoding/xml refuses.
package jenkinsxml

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
)

var (
	utf8Named = regexp.MustCompile(`(?i)encoding\s*=\s*["'](utf-?8|us-ascii)["']`)
	reference = regexp.MustCompile(`^#([0-9]{1,10}|x[0-9a-fA-F]{1,8});`)
)

// longestReference is what of a character reference the expression can match.
const longestReference = 12

// NewDecoder reads a document from its beginning. Every character reference, and every letter of a document whose declaration names another
// encoding than UTF-8, is read as a question mark: what is asked for is the structure and what ASCII says.
func NewDecoder(from io.Reader) *xml.Decoder {
	source := bufio.NewReaderSize(from, 64<<10)
	if mark, _ := source.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		_, _ = source.Discard(len(byteOrderMark))
	}
	head, _ := source.Peek(512) // a shorter document has less
	found := declaration(head)
	foreign := isForeign(found) // before the buffer moves on
	_, _ = source.Discard(len(found))
	return xml.NewDecoder(&plain{source, foreign})
}

const byteOrderMark = "\xef\xbb\xbf"

// declaration is what a document begins with if it says its version.
func declaration(head []byte) []byte {
	begin := len(head) - len(bytes.TrimLeft(head, " \t\r\n"))
	size := bytes.IndexByte(head[begin:], '>') + 1
	if !bytes.HasPrefix(head[begin:], []byte("<?xml")) || !bytes.HasSuffix(head[:begin+size], []byte("?>")) {
		return nil
	}
	return head[:begin+size]
}

func isForeign(declaration []byte) bool {
	at := bytes.Index(declaration, []byte("encoding"))
	if at < 0 || bytes.HasPrefix(declaration[at:], []byte("encoding='UTF-8'")) { // as Jenkins writes it
		return false
	}
	return !utf8Named.Match(declaration)
}

// plain changes what a parser of XML 1.0 and UTF-8 refuses, so that what is not well-formed stays so.
type plain struct {
	source  *bufio.Reader
	foreign bool
}

func (p *plain) Read(into []byte) (int, error) {
	for n := range into {
		if n > 0 && p.source.Buffered() == 0 {
			return n, nil
		}
		letter, err := p.source.ReadByte()
		if err != nil {
			return n, err
		}
		switch {
		case letter == '&' && p.reference(), letter >= 0x80 && p.foreign:
			letter = '?'
		}
		into[n] = letter
	}
	return len(into), nil
}

// reference passes over the rest of a reference to a character that XML 1.1 knows, and says whether there was one.
func (p *plain) reference() bool {
	rest, _ := p.source.Peek(1)
	if len(rest) == 0 || rest[0] != '#' {
		return false
	}
	rest, _ = p.source.Peek(longestReference) // less at the end
	found := reference.FindSubmatch(rest)
	if found == nil || !character(string(found[1])) {
		return false
	}
	_, _ = p.source.Discard(len(found[0]))
	return true
}

func character(text string) bool {
	base := 10
	if text[0] == 'x' {
		text, base = text[1:], 16
	}
	n, err := strconv.ParseUint(text, base, 32)
	return err == nil && n > 0 && n <= 0x10ffff && (n < 0xd800 || n > 0xdfff) && n != 0xfffe && n != 0xffff
}

// Check returns why a document is not well-formed, nil when it is.
func Check(document []byte) error {
	if simple(document) {
		return nil
	}
	decoder := NewDecoder(bytes.NewReader(document))
	for elements := 0; ; {
		token, err := decoder.Token()
		if err == nil {
			if _, ok := token.(xml.StartElement); ok {
				elements++
			}
			continue
		}
		if errors.Is(err, io.EOF) && elements > 0 {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return errors.New("it is empty")
		}
		return err
	}
}
