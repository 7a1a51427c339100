package master

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

// object is a JSON object of the endpoints that are older than the v1 API. Its values are objects, strings, booleans,
// numbers, lists of objects or strings, and JSON that is ready.
type object map[string]any

// double is a number that is always written with a decimal point, as the real programs write theirs.
type double float64

// ready is JSON that is written already.
type ready []byte

func raw(message any) ready { return wire.EncodeJSON(message) }

// appendJSON writes a value of an object. It is several times faster than encoding/json with its reflection and its
// second look at ready JSON, which /state of a large cluster needs.
func appendJSON(out []byte, value any) []byte {
	switch typed := value.(type) {
	case object:
		out = append(out, '{')
		for i, key := range slices.Sorted(maps.Keys(typed)) {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendText(out, key)
			out = append(out, ':')
			out = appendJSON(out, typed[key])
		}
		return append(out, '}')
	case []object:
		return appendList(out, typed, func(out []byte, one object) []byte { return appendJSON(out, one) })
	case []string:
		return appendList(out, typed, appendText)
	case ready:
		return append(out, typed...)
	case string:
		return appendText(out, typed)
	case bool:
		return strconv.AppendBool(out, typed)
	case double:
		return append(out, wire.EncodeJSON(float64(typed))...)
	case int:
		return strconv.AppendInt(out, int64(typed), 10)
	case int32:
		return strconv.AppendInt(out, int64(typed), 10)
	case uint32:
		return strconv.AppendUint(out, uint64(typed), 10)
	case float64:
		return strconv.AppendFloat(out, typed, 'f', -1, 64)
	}
	panic(fmt.Sprintf("no JSON for a %T", value)) // every endpoint is in the tests
}

func appendList[T any](out []byte, list []T, add func([]byte, T) []byte) []byte {
	out = append(out, '[')
	for i, one := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = add(out, one)
	}
	return append(out, ']')
}

func appendText(out []byte, text string) []byte {
	plain := true
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			plain = false
			break
		}
	}
	if plain {
		out = append(out, '"')
		out = append(out, text...)
		return append(out, '"')
	}
	quoted, _ := json.Marshal(text) // a string always marshals
	return append(out, quoted...)
}
