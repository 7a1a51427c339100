package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// DecodeJSON reads a Mesos message as the real programs do: unknown fields are ignored, an unknown enum name leaves the
// field unset, a JSON string is taken for a number. message points to the message, what names it in errors, which carry
// the real programs' texts.
func DecodeJSON(body []byte, what string, message any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return fmt.Errorf("Failed to parse body into JSON: syntax error at line 1 near: %s", near(body, err))
	}
	object, ok := tree.(map[string]any)
	if !ok {
		return fmt.Errorf("Failed to convert JSON into %s protobuf: Expecting a JSON object", what)
	}
	d := decode{}
	if err := d.structure(reflect.ValueOf(message).Elem(), object, ""); err != nil {
		return fmt.Errorf("Failed to convert JSON into %s protobuf: %w", what, err)
	}
	if len(d.missing) > 0 {
		return fmt.Errorf("Failed to convert JSON into %s protobuf: Missing required fields: %s", what, strings.Join(d.missing, ", "))
	}
	return nil
}

// near is the rest of the text at the place of a syntax error.
func near(body []byte, err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && syntax.Offset > 0 && int(syntax.Offset) < len(body)+1 && !strings.Contains(err.Error(), "unexpected end") {
		return string(body[syntax.Offset-1:])
	}
	return ""
}

type decode struct {
	missing []string
}

func (d *decode) structure(v reflect.Value, object map[string]any, path string) error {
	for i := range v.NumField() {
		f, ok := protoField(v.Type().Field(i))
		if !ok {
			continue
		}
		given, present := object[f.name]
		if !present || given == nil {
			if f.required {
				d.missing = append(d.missing, path+f.name)
			}
			continue
		}
		if err := d.value(v.Field(i), given, f.name, path+f.name); err != nil {
			return err
		}
	}
	return nil
}

func (d *decode) value(v reflect.Value, given any, name, path string) error {
	switch v.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(v.Type().Elem())
		if v.Type().Elem().Kind() == reflect.Int32 && enumUnknown(fresh.Elem(), given) {
			return nil
		}
		if err := d.value(fresh.Elem(), given, name, path); err != nil {
			return err
		}
		v.Set(fresh)
		return nil
	case reflect.Struct:
		object, ok := given.(map[string]any)
		if !ok {
			return unwanted(given, name)
		}
		return d.structure(v, object, path+".")
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return setBytes(v, given, name)
		}
		return d.list(v, given, name, path)
	case reflect.Map:
		return d.table(v, given, name, path)
	}
	return scalar(v, given, name)
}

func (d *decode) list(v reflect.Value, given any, name, path string) error {
	items, ok := given.([]any)
	if !ok {
		return unwanted(given, name)
	}
	out := reflect.MakeSlice(v.Type(), 0, len(items))
	for i, item := range items {
		element := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(element, item, name, fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return err
		}
		out = reflect.Append(out, element)
	}
	v.Set(out)
	return nil
}

func (d *decode) table(v reflect.Value, given any, name, path string) error {
	object, ok := given.(map[string]any)
	if !ok {
		return unwanted(given, name)
	}
	out := reflect.MakeMap(v.Type())
	for key, item := range object {
		element := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(element, item, name, path+"."+key); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(key), element)
	}
	v.Set(out)
	return nil
}

func setBytes(v reflect.Value, given any, name string) error {
	text, ok := given.(string)
	if !ok {
		return unwanted(given, name)
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("Failed to base64 decode bytes field '%s': %w", name, err)
	}
	v.SetBytes(data)
	return nil
}

func scalar(v reflect.Value, given any, name string) error {
	switch typed := given.(type) {
	case bool:
		if v.Kind() != reflect.Bool {
			return unwanted(given, name)
		}
		v.SetBool(typed)
		return nil
	case json.Number:
		if _, isEnum := enumName(v); isEnum || v.Kind() == reflect.String || v.Kind() == reflect.Bool {
			return unwanted(given, name)
		}
		return number(v, typed.String(), name)
	case string:
		if _, isEnum := enumName(v); isEnum {
			setEnum(v, typed)
			return nil
		}
		switch v.Kind() {
		case reflect.String:
			v.SetString(typed)
			return nil
		case reflect.Bool:
			return unwanted(given, name)
		}
		return number(v, typed, name)
	}
	return unwanted(given, name)
}

func number(v reflect.Value, text, name string) error {
	parsed, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("Failed to parse '%s' as a JSON number for field '%s'", text, name)
	}
	switch v.Kind() {
	case reflect.Float64, reflect.Float32:
		v.SetFloat(parsed)
	case reflect.Uint32, reflect.Uint64:
		exact, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			exact = uint64(max(parsed, 0))
		}
		v.SetUint(exact)
	default:
		exact, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			exact = int64(parsed)
		}
		v.SetInt(exact)
	}
	return nil
}

// setEnum looks the name up by the enum's own JSON reader, and leaves the value alone when it is unknown.
func setEnum(v reflect.Value, name string) {
	reader, ok := v.Addr().Interface().(json.Unmarshaler)
	if !ok {
		setEnumByString(v, name)
		return
	}
	before := v.Int()
	if reader.UnmarshalJSON([]byte(strconv.Quote(name))) != nil {
		v.SetInt(before)
	}
}

// maxEnum is above every enum number in the v1 API.
const maxEnum = 256

func setEnumByString(v reflect.Value, name string) {
	probe := reflect.New(v.Type()).Elem()
	for i := range maxEnum {
		probe.SetInt(int64(i))
		if got, _ := enumName(probe); got == name {
			v.SetInt(int64(i))
			return
		}
	}
}

// enumUnknown says that given is a name that the enum does not have.
func enumUnknown(probe reflect.Value, given any) bool {
	name, isString := given.(string)
	if _, isEnum := enumName(probe); !isEnum || !isString {
		return false
	}
	setEnum(probe, name)
	got, _ := enumName(probe)
	return got != name
}

func unwanted(given any, name string) error {
	kind := "object"
	switch given.(type) {
	case bool:
		kind = "boolean"
	case json.Number:
		kind = "number"
	case string:
		kind = "string"
	case []any:
		kind = "array"
	}
	return fmt.Errorf("Not expecting a JSON %s for field '%s'", kind, name)
}
