// Package xmltree reads and writes XML as XStream does: version 1.1 headers, two blanks of indentation, `<x/>` for an
// empty object and `<x></x>` for an empty text.
package xmltree

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// Headers of Jenkins' files and of its config.xml answers.
const (
	FileHeader   = "<?xml version='1.1' encoding='UTF-8'?>\n"
	AnswerHeader = "<?xml version=\"1.1\" encoding=\"UTF-8\"?>\n"
)

// Node is one element. Text is set only where there are no children; IsText makes an empty one `<x></x>`.
type Node struct {
	Name     string
	Attrs    [][2]string
	Text     string
	IsText   bool
	Children []*Node
}

// encoding/xml refuses version 1.1, which all of Jenkins' files have.
var header = regexp.MustCompile(`^\s*<\?xml[^>]*\?>`)

// Parse reads one document; only its root element is kept.
func Parse(data []byte) (*Node, error) {
	decoder := xml.NewDecoder(bytes.NewReader(header.ReplaceAll(data, nil)))
	var root *Node
	var stack []*Node
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read XML: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			n := &Node{Name: t.Name.Local}
			for _, a := range t.Attr {
				n.Attrs = append(n.Attrs, [2]string{a.Name.Local, a.Value})
			}
			if len(stack) > 0 {
				parent := stack[len(stack)-1]
				parent.Children = append(parent.Children, n)
			} else if root == nil {
				root = n
			} else {
				return nil, errors.New("read XML: more than one root element")
			}
			stack = append(stack, n)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				stack[len(stack)-1].Text += string(t)
			}
		}
	}
	if root == nil {
		return nil, errors.New("read XML: no root element")
	}
	root.clean()
	return root, nil
}

func (n *Node) clean() {
	if len(n.Children) > 0 {
		n.Text = ""
	}
	n.IsText = len(n.Children) == 0 && n.Text != ""
	for _, c := range n.Children {
		c.clean()
	}
}

// Elem makes an element with children.
func Elem(name string, children ...*Node) *Node {
	n := &Node{Name: name}
	return n.Add(children...)
}

// Text makes an element with a text.
func Text(name string, value any) *Node {
	return &Node{Name: name, Text: fmt.Sprint(value), IsText: true}
}

// Add appends children, leaving out nil ones.
func (n *Node) Add(children ...*Node) *Node {
	for _, c := range children {
		if c != nil {
			n.Children = append(n.Children, c)
		}
	}
	return n
}

// With sets an attribute.
func (n *Node) With(key, value string) *Node {
	for i := range n.Attrs {
		if n.Attrs[i][0] == key {
			n.Attrs[i][1] = value
			return n
		}
	}
	n.Attrs = append(n.Attrs, [2]string{key, value})
	return n
}

// Attr is the value of an attribute, or "".
func (n *Node) Attr(key string) string {
	if n == nil {
		return ""
	}
	for _, a := range n.Attrs {
		if a[0] == key {
			return a[1]
		}
	}
	return ""
}

// Child follows names separated by "/"; nil where one is missing.
func (n *Node) Child(path string) *Node {
	for _, name := range strings.Split(path, "/") {
		if n = n.child(name); n == nil {
			return nil
		}
	}
	return n
}

func (n *Node) child(name string) *Node {
	if n == nil {
		return nil
	}
	for _, c := range n.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Get is the text at a path, or "".
func (n *Node) Get(path string) string {
	if c := n.Child(path); c != nil {
		return c.Text
	}
	return ""
}

// Trimmed is the text at a path without surrounding blanks.
func (n *Node) Trimmed(path string) string { return strings.TrimSpace(n.Get(path)) }

// Int is the number at a path, or the default.
func (n *Node) Int(path string, def int) int {
	if v, err := strconv.Atoi(n.Trimmed(path)); err == nil {
		return v
	}
	return def
}

// Bool says whether the text at a path is "true".
func (n *Node) Bool(path string) bool { return n.Trimmed(path) == "true" }

// Set replaces the child of the same name where it is, or appends it.
func (n *Node) Set(child *Node) {
	for i, c := range n.Children {
		if c.Name == child.Name {
			n.Children[i] = child
			return
		}
	}
	n.Children = append(n.Children, child)
}

// Remove takes away the children of that name.
func (n *Node) Remove(name string) {
	kept := n.Children[:0]
	for _, c := range n.Children {
		if c.Name != name {
			kept = append(kept, c)
		}
	}
	n.Children = kept
}

// Render writes the header and the element, without a final newline, as XStream does.
func (n *Node) Render(header string) []byte {
	var b bytes.Buffer
	b.WriteString(header)
	n.write(&b, "")
	return b.Bytes()
}

func (n *Node) write(b *bytes.Buffer, indent string) {
	b.WriteString(indent + "<" + n.Name)
	for _, a := range n.Attrs {
		fmt.Fprintf(b, " %s=\"%s\"", a[0], escape(a[1]))
	}
	switch {
	case len(n.Children) > 0:
		b.WriteString(">\n")
		for _, c := range n.Children {
			c.write(b, indent+"  ")
			b.WriteString("\n")
		}
		b.WriteString(indent + "</" + n.Name + ">")
	case n.IsText || n.Text != "":
		b.WriteString(">" + escape(n.Text) + "</" + n.Name + ">")
	default:
		b.WriteString("/>")
	}
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\"", "&quot;", "'", "&apos;", "\r", "&#xd;")

func escape(s string) string { return escaper.Replace(s) }
