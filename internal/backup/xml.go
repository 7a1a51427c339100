package backup

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"regexp"
)

var (
	declaration = regexp.MustCompile(`^\s*<\?xml[^>]*\?>`)
	utf8Named   = regexp.MustCompile(`(?i)encoding\s*=\s*["'](utf-?8|us-ascii)["']`)
	encrypted   = regexp.MustCompile(`^\s*\{[A-Za-z0-9+/]{20,}=*\}\s*$`)
)

// document is what was read of an XML file.
type document struct {
	// root is the name of the outermost element.
	root string
	// encrypted says that a value in it cannot be read without the keys in secrets/.
	encrypted bool
	// realm is the class of the element securityRealm.
	realm string
}

// readXML reads a file to its end. Jenkins writes XML 1.1, of which encoding/xml reads everything but the declaration and references to
// control characters.
func readXML(name string) (document, error) {
	file, err := os.Open(name)
	if err != nil {
		return document{}, err
	}
	defer file.Close()
	return parseXML(file)
}

func parseXML(from io.Reader) (document, error) {
	source := bufio.NewReaderSize(from, 64<<10)
	if mark, _ := source.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = source.Discard(3)
	}
	head, _ := source.Peek(512) // a shorter file has less
	found := declaration.Find(head)
	_, _ = source.Discard(len(found))
	foreign := bytes.Contains(found, []byte("encoding")) && !utf8Named.Match(found)
	decoder := xml.NewDecoder(&plain{source, foreign})
	var out document
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) && out.root != "" {
			return out, nil
		}
		if errors.Is(err, io.EOF) {
			return out, errors.New("it is empty")
		}
		if err != nil {
			return out, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if out.root == "" {
				out.root = token.Name.Local
			}
			if token.Name.Local == "securityRealm" && len(token.Attr) > 0 {
				out.realm = token.Attr[0].Value
			}
		case xml.CharData:
			out.encrypted = out.encrypted || encrypted.Match(token)
		}
	}
}

// plain changes what a parser of XML 1.0 and UTF-8 refuses, byte by byte, so that well-formed stays well-formed: the & of a character
// reference, and letters of another encoding.
type plain struct {
	source  *bufio.Reader
	foreign bool
}

func (p *plain) Read(into []byte) (int, error) {
	n, err := p.source.Read(into)
	for i := range n {
		switch {
		case p.foreign && into[i] >= 0x80:
			into[i] = '?'
		case into[i] == '&' && i+1 < n && into[i+1] == '#':
			into[i] = '#'
		case into[i] == '&' && i+1 == n:
			if next, _ := p.source.Peek(1); len(next) == 1 && next[0] == '#' {
				into[i] = '#'
			}
		}
	}
	return n, err
}
