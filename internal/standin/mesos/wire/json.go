package wire

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// EncodeJSON writes a Mesos message as the real programs do: unset fields are left out, enum values that the v1 API does
// not know too, doubles carry a decimal point, bytes are base64. A repeated field that is empty but not nil is `[]`.
func EncodeJSON(message any) []byte {
	return appendValue(nil, reflect.ValueOf(message))
}

func appendValue(out []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return append(out, "null"...)
		}
		return appendValue(out, v.Elem())
	case reflect.Struct:
		return appendStruct(out, v)
	case reflect.Slice:
		return appendSlice(out, v)
	case reflect.Map:
		return appendMap(out, v)
	case reflect.Float64, reflect.Float32:
		return appendFloat(out, v.Float())
	case reflect.Int32:
		if name, isEnum := enumName(v); isEnum {
			return appendString(out, name)
		}
		return strconv.AppendInt(out, v.Int(), 10)
	case reflect.Int64, reflect.Int:
		return strconv.AppendInt(out, v.Int(), 10)
	case reflect.Uint32, reflect.Uint64, reflect.Uint8:
		return strconv.AppendUint(out, v.Uint(), 10)
	case reflect.Bool:
		return strconv.AppendBool(out, v.Bool())
	default:
		return appendString(out, v.String())
	}
}

func appendStruct(out []byte, v reflect.Value) []byte {
	out = append(out, '{')
	first := true
	for i := range v.NumField() {
		field, ok := protoField(v.Type().Field(i))
		value := v.Field(i)
		if !ok || field.unset(value) {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = appendString(out, field.name)
		out = append(out, ':')
		out = appendValue(out, value)
	}
	return append(out, '}')
}

func appendSlice(out []byte, v reflect.Value) []byte {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return appendString(out, base64.StdEncoding.EncodeToString(v.Bytes()))
	}
	out = append(out, '[')
	for i := range v.Len() {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendValue(out, v.Index(i))
	}
	return append(out, ']')
}

func appendMap(out []byte, v reflect.Value) []byte {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	out = append(out, '{')
	for i, key := range keys {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendString(out, key.String())
		out = append(out, ':')
		out = appendValue(out, v.MapIndex(key))
	}
	return append(out, '}')
}

func appendFloat(out []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(out, '0', '.', '0')
	}
	start := len(out)
	out = strconv.AppendFloat(out, f, 'f', -1, 64)
	if !strings.Contains(string(out[start:]), ".") {
		out = append(out, ".0"...)
	}
	return out
}

func appendString(out []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // a string always marshals
	return append(out, quoted...)
}

// field is what a generated struct's tags say about one protobuf field.
type field struct {
	name     string
	required bool
}

func protoField(f reflect.StructField) (field, bool) {
	tag, ok := f.Tag.Lookup("protobuf")
	if !ok {
		return field{}, false
	}
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return field{name: name, required: strings.Contains(tag, ",req,")}, name != ""
}

// unset says that a value is left out: a nil one, and an optional scalar that the Go library keeps by value at its zero.
func (f field) unset(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Interface:
		return v.IsNil() || (v.Kind() == reflect.Pointer && unknownEnum(v.Elem()))
	case reflect.Map:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	if unknownEnum(v) {
		return true
	}
	return !f.required && v.IsZero()
}

func unknownEnum(v reflect.Value) bool {
	name, isEnum := enumName(v)
	return isEnum && name == strconv.FormatInt(v.Int(), 10)
}

func enumName(v reflect.Value) (string, bool) {
	if v.Kind() != reflect.Int32 {
		return "", false
	}
	name, ok := v.Interface().(fmt.Stringer)
	if !ok {
		return "", false
	}
	return name.String(), true
}
