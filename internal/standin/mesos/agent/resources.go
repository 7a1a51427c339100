package agent

import (
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

func p[T any](v T) *T { return &v }

// parseResources reads `cpus:4;ports:[31000-31099]` or the JSON list, and adds what the machine has for cpus, mem, disk
// and ports where they are not given. workDir is where disk is measured.
func parseResources(text, defaultRole, workDir string) ([]mesos.Resource, error) {
	var all []mesos.Resource
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "file://") || strings.HasPrefix(text, "/") {
		content, err := os.ReadFile(strings.TrimPrefix(text, "file://"))
		if err != nil {
			return nil, words("Error reading file '%s': %w", text, err)
		}
		text = strings.TrimSpace(string(content))
	}
	if strings.HasPrefix(text, "[") {
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			return nil, words("Bad value for resources: %w", err)
		}
		for i := range all {
			if err := checkResource(&all[i], defaultRole); err != nil {
				return nil, err
			}
		}
	} else if text != "" {
		for _, token := range strings.Split(text, ";") {
			if token = strings.TrimSpace(token); token == "" {
				continue
			}
			one, err := parseResource(token, defaultRole)
			if err != nil {
				return nil, err
			}
			all = append(all, one)
		}
	}
	return addDefaults(all, defaultRole, workDir), nil
}

func checkResource(one *mesos.Resource, defaultRole string) error {
	if one.Name == "" || one.Type == nil {
		return words("Bad value for resources: missing name or type")
	}
	if one.Role == nil || *one.Role == "" {
		one.Role = &defaultRole
	}
	return nil
}

func parseResource(token, role string) (mesos.Resource, error) {
	name, text, ok := strings.Cut(token, ":")
	if !ok || strings.Contains(text, ":") {
		return mesos.Resource{}, words("Bad value for resources, missing or extra ':' in %s", token)
	}
	name = strings.TrimSpace(name)
	if before, after, found := strings.Cut(name, "("); found {
		if !strings.HasSuffix(after, ")") {
			return mesos.Resource{}, words("Bad value for resources, mismatched parentheses in %s", token)
		}
		name, role = before, strings.TrimSuffix(after, ")")
	}
	value, err := parseValue(strings.TrimSpace(text))
	if err != nil || value.kind == mesos.TEXT {
		return mesos.Resource{}, words("Bad value for resource %s: %s", name, text)
	}
	return mesos.Resource{Name: name, Type: p(value.kind), Scalar: value.scalar, Ranges: value.ranges, Set: value.set, Role: p(role)}, nil
}

// value is a parsed Value: a number, [a-b,c-d], {x,y} or a text.
type value struct {
	kind   mesos.Value_Type
	scalar *mesos.Value_Scalar
	ranges *mesos.Value_Ranges
	set    *mesos.Value_Set
	text   *mesos.Value_Text
}

func parseValue(text string) (value, error) {
	switch {
	case strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]"):
		ranges := &mesos.Value_Ranges{}
		for _, part := range strings.Split(text[1:len(text)-1], ",") {
			from, to, ok := strings.Cut(strings.TrimSpace(part), "-")
			begin, err1 := strconv.ParseUint(strings.TrimSpace(from), 10, 64)
			end, err2 := strconv.ParseUint(strings.TrimSpace(to), 10, 64)
			if !ok || err1 != nil || err2 != nil || end < begin {
				return value{}, words("Failed to parse range %q", part)
			}
			ranges.Range = append(ranges.Range, mesos.Value_Range{Begin: begin, End: end})
		}
		return value{kind: mesos.RANGES, ranges: ranges}, nil
	case strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}"):
		set := &mesos.Value_Set{}
		for _, part := range strings.Split(text[1:len(text)-1], ",") {
			set.Item = append(set.Item, strings.TrimSpace(part))
		}
		return value{kind: mesos.SET, set: set}, nil
	case text == "":
		return value{}, errors.New("expecting a value")
	}
	if number, err := strconv.ParseFloat(text, 64); err == nil {
		return value{kind: mesos.SCALAR, scalar: &mesos.Value_Scalar{Value: number}}, nil
	}
	return value{kind: mesos.TEXT, text: &mesos.Value_Text{Value: text}}, nil
}

func scalar(name string, amount float64, role string) mesos.Resource {
	return mesos.Resource{Name: name, Type: p(mesos.SCALAR), Scalar: &mesos.Value_Scalar{Value: amount}, Role: p(role)}
}

func addDefaults(all []mesos.Resource, role, workDir string) []mesos.Resource {
	missing := func(name string) bool {
		return !slices.ContainsFunc(all, func(r mesos.Resource) bool { return r.Name == name })
	}
	if missing("cpus") {
		all = append(all, scalar("cpus", float64(runtime.NumCPU()), role))
	}
	if missing("mem") {
		all = append(all, scalar("mem", leave(memoryMB(), 2048, 1024), role))
	}
	if missing("disk") {
		all = append(all, scalar("disk", leave(diskMB(workDir), 10240, 5120), role))
	}
	if missing("ports") {
		value, _ := parseValue("[31000-32000]")
		all = append(all, mesos.Resource{Name: "ports", Type: p(mesos.RANGES), Ranges: value.ranges, Role: p(role)})
	}
	return all
}

// leave keeps something for the host: all but `reserve` of at least `enough`, else the half, as the real agent does.
func leave(total, enough, reserve float64) float64 {
	if total >= enough {
		return total - reserve
	}
	return float64(int64(total / 2))
}

func memoryMB() float64 {
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) != nil {
		return 1024
	}
	return float64(uint64(info.Totalram) * uint64(info.Unit) >> 20)
}

func diskMB(dir string) float64 {
	var stat syscall.Statfs_t
	if syscall.Statfs(dir, &stat) != nil {
		return 10240
	}
	return float64(stat.Blocks * uint64(stat.Bsize) >> 20)
}

// parseAttributes reads `rack:a;cores:8`. The error is the text of the real agent's fatal check.
func parseAttributes(text string) ([]mesos.Attribute, error) {
	var all []mesos.Attribute
	for _, token := range strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == '\n' }) {
		name, content, ok := strings.Cut(token, ":")
		if !ok {
			return nil, words("Invalid attribute key:value pair '%s'", token)
		}
		value, err := parseValue(strings.TrimSpace(content))
		if err != nil {
			return nil, words("Invalid attribute key:value pair '%s'", token)
		}
		if value.kind == mesos.SET {
			return nil, words("Bad type for attribute %s text %s type 2", name, content)
		}
		all = append(all, mesos.Attribute{Name: strings.TrimSpace(name), Type: value.kind, Scalar: value.scalar, Ranges: value.ranges, Text: value.text})
	}
	return all, nil
}
