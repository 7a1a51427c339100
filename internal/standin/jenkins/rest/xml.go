package rest

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strings"
)

// writeXML writes a bean as /api/xml does: the class name as the root, one element per list member in the singular.
func writeXML(b *bytes.Buffer, o *bean, p pruner) {
	name := o.class[strings.LastIndexAny(o.class, ".$")+1:]
	if name == "" {
		name = "object"
	}
	xmlElement(b, strings.ToLower(name[:1])+name[1:], o, p)
}

func xmlElement(b *bytes.Buffer, name string, o *bean, p pruner) {
	b.WriteString("<" + name)
	if o.class != "" {
		fmt.Fprintf(b, " _class='%s'", o.class)
	}
	b.WriteString(">")
	for _, fd := range o.fields {
		if next, cut, ok := p.accept(fd); ok {
			xmlValue(b, fd.name, fd.value, next, cut)
		}
	}
	b.WriteString("</" + name + ">")
}

func xmlValue(b *bytes.Buffer, name string, value any, p pruner, cut *span) {
	switch v := value.(type) {
	case func() any:
		xmlValue(b, name, v(), p, cut)
	case nil, json.RawMessage:
	case *bean:
		if v != nil {
			xmlElement(b, name, v, p)
		}
	case []*bean:
		from, to := cut.cut(len(v))
		for _, o := range v[from:to] {
			xmlElement(b, singular(name), o, p)
		}
	case []string:
		for _, s := range v {
			xmlText(b, singular(name), s)
		}
	default:
		xmlText(b, name, fmt.Sprint(v))
	}
}

func xmlText(b *bytes.Buffer, name, text string) {
	b.WriteString("<" + name + ">")
	_ = xml.EscapeText(b, []byte(text))
	b.WriteString("</" + name + ">")
}

func singular(name string) string {
	switch {
	case strings.HasSuffix(name, "ies"):
		return strings.TrimSuffix(name, "ies") + "y"
	case strings.HasSuffix(name, "s"):
		return strings.TrimSuffix(name, "s")
	}
	return name
}
