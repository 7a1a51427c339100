package updatecenter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// parse reads one JSON object with its numbers as they are written.
func parse(data []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return object, nil
}

// canonical writes a value as it is signed: keys sorted at every level, no spaces, UTF-8 with nothing but the necessary escapes. The
// standard library's encoder also escapes U+2028 and U+2029, so it cannot be used.
func canonical(out *bytes.Buffer, value any) error {
	switch v := value.(type) {
	case map[string]any:
		return canonicalObject(out, v)
	case []any:
		out.WriteByte('[')
		for i, one := range v {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := canonical(out, one); err != nil {
				return err
			}
		}
		out.WriteByte(']')
	case string:
		quote(out, v)
	case json.Number:
		out.WriteString(v.String())
	case bool:
		out.WriteString(strconv.FormatBool(v))
	case nil:
		out.WriteString("null")
	default:
		return fmt.Errorf("writing canonical JSON: a %T", value)
	}
	return nil
}

func canonicalObject(out *bytes.Buffer, object map[string]any) error {
	out.WriteByte('{')
	for i, key := range slices.Sorted(maps.Keys(object)) {
		if i > 0 {
			out.WriteByte(',')
		}
		quote(out, key)
		out.WriteByte(':')
		if err := canonical(out, object[key]); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}

func quote(out *bytes.Buffer, text string) {
	const short = "\b\f\n\r\t\"\\"
	out.WriteByte('"')
	for _, r := range text {
		switch at := bytes.IndexByte([]byte(short), byte(r)); {
		case r < utf8.RuneSelf && at >= 0:
			out.WriteByte('\\')
			out.WriteByte("bfnrt\"\\"[at])
		case r < ' ':
			fmt.Fprintf(out, `\u%04x`, r)
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
}
