package config

import (
	_ "embed"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// The doc comments of the types are the descriptions in the schema and the comments in a written file.
//
//go:embed types.go
var typesSource string

//go:embed typesjenkins.go
var jenkinsSource string

//go:embed drill.go
var drillSource string

//go:embed watch.go
var watchSource string

// comments maps Type and Type.Field to the doc comment, on one line.
func comments() map[string]string {
	found := map[string]string{}
	for name, source := range map[string]string{"types.go": typesSource, "typesjenkins.go": jenkinsSource, "drill.go": drillSource, "watch.go": watchSource} {
		f, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments)
		if err != nil {
			panic("config: the embedded " + name + " does not parse: " + err.Error()) // it compiled
		}
		commentsOf(f, found)
	}
	return found
}

func commentsOf(f *ast.File, found map[string]string) {
	line := func(doc *ast.CommentGroup) string { return strings.Join(strings.Fields(doc.Text()), " ") }
	for _, decl := range f.Decls {
		types, ok := decl.(*ast.GenDecl)
		if !ok || types.Tok != token.TYPE {
			continue
		}
		for _, spec := range types.Specs {
			t := spec.(*ast.TypeSpec)
			found[t.Name.Name] = line(types.Doc)
			s, ok := t.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, field := range s.Fields.List {
				for _, name := range field.Names {
					found[t.Name.Name+"."+name.Name] = line(field.Doc)
				}
			}
		}
	}
}
