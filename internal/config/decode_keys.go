package config

import (
	"reflect"
	"sort"
	"strings"
)

// meant names the key that was probably meant.
func meant(key, path string, fields map[string]int) string {
	known := make([]string, 0, len(fields))
	for k := range fields {
		known = append(known, k)
	}
	sort.Strings(known)
	if near := nearest(key, known); near != "" {
		return "did you mean " + near + "?"
	}
	var elsewhere []string
	for _, p := range keyPaths(reflect.TypeFor[Cluster](), "") {
		if p == key || strings.HasSuffix(p, "."+key) {
			elsewhere = append(elsewhere, p)
		}
	}
	if len(elsewhere) > 0 {
		return "there is " + strings.Join(elsewhere, ", ")
	}
	where := "at the top of the file"
	if path != "" {
		where = "in " + path
	}
	return "known " + where + ": " + strings.Join(known, ", ")
}

// keysOf maps the keys of a struct type to its field numbers.
func keysOf(t reflect.Type) map[string]int {
	keys := map[string]int{}
	for i := range t.NumField() {
		if key, ok := keyOf(t.Field(i)); ok {
			keys[key] = i
		}
	}
	return keys
}

// keyPaths lists every key of the file with its way from the top; elements of lists are written as [].
func keyPaths(t reflect.Type, prefix string) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		if t.Kind() == reflect.Slice {
			prefix += "[]"
		}
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var paths []string
	for i := range t.NumField() {
		key, ok := keyOf(t.Field(i))
		if !ok {
			continue
		}
		path := join(prefix, key)
		paths = append(append(paths, path), keyPaths(t.Field(i).Type, path)...)
	}
	return paths
}

// secretPath says that what stands there must not be printed, whatever it is.
func secretPath(path string) bool {
	last := path[strings.LastIndexByte(path, '.')+1:]
	return last == "password" || last == "key"
}
