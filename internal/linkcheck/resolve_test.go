package linkcheck

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const void = "()V"

// library are the classes that the rules of resolution are tried on.
var library = classes(
	classFile{name: "lib/Base", access: accPublic, fields: []member{{"inherited", "I", accPublic}, {"hidden", "I", accPrivate}},
		methods: []member{{"run", void, accPublic}, {"own", void, accProtected}, {"near", void, 0}}},
	classFile{name: "lib/Child", super: "lib/Base", interfaces: []string{"lib/Shape"}, access: accPublic},
	classFile{name: "lib/Shape", interfaces: []string{"lib/Root"}, access: accPublic | accInterface,
		fields: []member{{"SIDES", "I", accPublic | accStatic}}, methods: []member{{"area", "()D", accPublic}, {"make", void, accPublic | accStatic}}},
	classFile{name: "lib/Root", access: accPublic | accInterface, methods: []member{{"root", void, accPublic}}},
	classFile{name: "lib/Closed", access: 0x0020},
	classFile{name: "lib/Orphan", super: "gone/Parent"},
)

func TestResolution(t *testing.T) {
	for _, test := range []struct {
		name string
		use  ref
		want string // the line of the report, empty for none
	}{
		{"a field of a superclass", ref{'f', "lib/Child", "inherited", "I"}, ""},
		{"a field of another type", ref{'f', "lib/Child", "inherited", "J"}, "missing field long lib.Child.inherited"},
		{"a constant of an interface", ref{'f', "lib/Child", "SIDES", "I"}, ""},
		{"a private field", ref{'f', "lib/Child", "hidden", "I"}, "inaccessible field int lib.Child.hidden"},
		{"a method of a superclass", ref{'m', "lib/Child", "run", void}, ""},
		{"a method with another result", ref{'m', "lib/Child", "run", "()Z"}, "missing method boolean lib.Child.run()"},
		{"a method of a superinterface", ref{'m', "lib/Child", "root", void}, ""},
		{"a static method of a superinterface", ref{'m', "lib/Child", "make", void}, "missing method void lib.Child.make()"},
		{"a static method of the interface itself", ref{'i', "lib/Shape", "make", void}, ""},
		{"a method of Object through an interface", ref{'i', "lib/Shape", "toString", "()Ljava/lang/String;"}, ""},
		{"a protected method of Object through an interface", ref{'i', "lib/Shape", "finalize", void}, "missing method void lib.Shape.finalize()"},
		{"an interface taken for a class", ref{'m', "lib/Shape", "area", "()D"}, "changed method double lib.Shape.area()"},
		{"a class taken for an interface", ref{'i', "lib/Base", "run", void}, "changed method void lib.Base.run()"},
		{"a protected method from elsewhere", ref{'m', "lib/Base", "own", void}, "inaccessible method void lib.Base.own()"},
		{"a method for its package alone", ref{'m', "lib/Base", "near", void}, "inaccessible method void lib.Base.near()"},
		{"a class for its package alone", ref{kind: 'c', owner: "lib/Closed"}, "inaccessible class lib.Closed"},
		{"an array of a class that is there", ref{kind: 'c', owner: "[[Llib/Base;"}, ""},
		{"an array of numbers", ref{kind: 'c', owner: "[[J"}, ""},
		{"an array of a class that is not there", ref{kind: 'c', owner: "[Lgone/Element;"}, "missing class gone.Element"},
		{"clone of an array", ref{'m', "[Llib/Base;", "clone", "()Ljava/lang/Object;"}, ""},
		{"hashCode of an array", ref{'m', "[I", "hashCode", "()I"}, ""},
		{"what no array has", ref{'m', "[I", "size", "()I"}, "missing method int [I.size()"},
		{"any descriptor of a method handle", ref{'m', "java/lang/invoke/MethodHandle", "invokeExact", "(ILlib/Base;)J"}, ""},
		{"any descriptor of a variable handle", ref{'m', "java/lang/invoke/VarHandle", "getAndAdd", "(Llib/Base;I)I"}, ""},
		{"an ordinary method of a method handle", ref{'m', "java/lang/invoke/MethodHandle", "bindTo", "(I)J"}, "missing method long java.lang.invoke.MethodHandle.bindTo(int)"},
		{"a member whose class is missing", ref{'m', "gone/Owner", "run", void}, "missing class gone.Owner"},
		{"a member that a missing ancestor may have", ref{'m', "lib/Orphan", "run", void}, ""},
		{"a class of Java", ref{kind: 'c', owner: "java/util/concurrent/StructuredTaskScope"}, ""},
		{"a class that Java no longer has", ref{kind: 'c', owner: "javax/xml/bind/JAXBContext"}, "missing class javax.xml.bind.JAXBContext"},
		{"a class that Java does not export", ref{kind: 'c', owner: "sun/security/x509/X500Name"}, "missing class sun.security.x509.X500Name"},
		{"a method through a hidden ancestor", ref{'m', "java/lang/StringBuilder", "setLength", "(I)V"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			own := classes(classFile{name: "own/User", uses: []ref{test.use}})
			report := newRig(t, library).plugin("own", "", own).check()
			if test.want == "" {
				assert.Empty(t, report.Links)
				return
			}
			require.Len(t, report.Links, 1)
			assert.Equal(t, "own: "+test.want, report.Links[0].String())
			assert.Equal(t, []Use{{Jar: "WEB-INF/lib/own.jar", Class: "own/User", Member: "use()V", How: "code"}}, report.Links[0].Uses)
			assert.NotEmpty(t, report.Links[0].Why)
		})
	}
}

func TestAccessOfRelatives(t *testing.T) {
	own := classes(
		classFile{name: "own/Heir", super: "lib/Child", uses: []ref{{'m', "own/Heir", "own", void}, {'f', "own/Heir", "secret", "I"}},
			fields: []member{{"secret", "I", accPrivate}}},
		classFile{name: "own/Heir$1", access: 0x0020, uses: []ref{{'f', "own/Heir", "secret", "I"}}},
		classFile{name: "own/Other", uses: []ref{{'f', "own/Heir", "secret", "I"}, {kind: 'c', owner: "own/Heir$1"}}},
		classFile{name: "lib/Intruder", uses: []ref{{'m', "lib/Base", "near", void}}},
	)
	report := newRig(t, library).plugin("own", "", own).check()
	assert.Equal(t, []string{
		"breaks own: inaccessible method void lib.Base.near()", // the same package of another class loader is another package
		"breaks own: inaccessible field int own.Heir.secret",
	}, lines(report))
	assert.Equal(t, "own/Other", report.Links[1].Uses[0].Class)
}

func TestJavaReleases(t *testing.T) {
	own := classes(classFile{name: "own/User", uses: []ref{
		{kind: 'c', owner: "javax/xml/bind/JAXBContext"},                           // until 10
		{kind: 'c', owner: "java/net/http/HttpClient"},                             // since 11
		{'m', "java/util/List", "getFirst", "()Ljava/lang/Object;"},                // taken for a class
		{'i', "java/util/List", "getFirst", "()Ljava/lang/Object;"},                // since 21
		{'m', "java/lang/Thread", "suspend", void},                                 // until 22
		{'m', "sun/misc/Unsafe", "ensureClassInitialized", "(Ljava/lang/Class;)V"}, // until 21
		{kind: 'c', owner: "sun/misc/Unsafe"},
	}})
	names := func(java int) []string {
		r := newRig(t, library).plugin("own", "", own)
		r.in.Java = java
		var names []string
		for _, l := range r.check().Links {
			if l.Problem == Missing {
				names = append(names, l.Class+" "+l.Member)
			}
		}
		return names
	}
	assert.Equal(t, []string{"java/net/http/HttpClient ", "java/util/List getFirst"}, names(8)) // nobody lists what is below sun in Java 8
	assert.Equal(t, []string{"java/util/List getFirst", "javax/xml/bind/JAXBContext "}, names(11))
	assert.Equal(t, []string{"java/util/List getFirst", "javax/xml/bind/JAXBContext "}, names(17))
	assert.Equal(t, []string{"javax/xml/bind/JAXBContext "}, names(21))
	assert.Equal(t, []string{"java/lang/Thread suspend", "javax/xml/bind/JAXBContext ", "sun/misc/Unsafe ensureClassInitialized"}, names(25))
}
