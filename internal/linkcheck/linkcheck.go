// Package linkcheck opens a jenkins.war and plugins and finds every class, field and method that a plugin links to and that
// nobody provides: neither the plugin's own jars, nor the plugins it depends on, nor the core, nor the Java it will run on. It
// reads class files and resolves their constant pools as a Java machine would (JVM specification 5.4.3 and 5.4.4) behind class
// loaders arranged as Jenkins arranges them. No Java is needed to run it.
//
// What it does not see: links made by reflection or from Groovy and Jelly, methods that a plugin's class should implement since
// an interface grew (AbstractMethodError), static members that became instance members, and the few fields that cores before 2.296
// let old plugins find under another type (the bytecode compatibility transformer).
package linkcheck

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Input names what is checked together: one controller as it will run.
type Input struct {
	War     string   // path of jenkins.war
	Plugins []string // paths of .hpi or .jpi files
	Java    int      // feature release that the controller runs on, one of Javas()
}

// Report is what Check found. Equal inputs give equal reports.
type Report struct {
	Java    int      `json:"java"`
	Core    string   `json:"core"` // version of the war
	Plugins []Plugin `json:"plugins"`
	// Links has the worst rank first, then goes by plugin and name.
	Links []Link `json:"links"`
	// Classes and References count the plugins' classes that were read and the distinct links of each jar that were resolved.
	Classes    int `json:"classes"`
	References int `json:"references"`
}

// Plugin is one plugin of the set, in order of its name.
type Plugin struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	File    string `json:"file"`
	Core    string `json:"core"` // oldest core that it wants
	// Detached says that it was not given: the war brings it for a plugin that was written when it was part of the core.
	Detached bool `json:"detached,omitempty"`
	// Absent are dependencies that Jenkins insists on and that are not in the set: such a plugin does not load at all.
	Absent []string `json:"absent,omitempty"`
	// AbsentOptional are the optional and implied dependencies that are not in the set.
	AbsentOptional []string `json:"absentOptional,omitempty"`
}

// Rank says how certain it is that a missing link hurts.
type Rank string

// The ranks, worst first.
const (
	// Breaks: a LinkageError as soon as the code runs.
	Breaks Rank = "breaks"
	// Doubtful: nobody provides it, but the code may never run: reflection alone, or a bundled library among its own.
	Doubtful Rank = "doubtful"
	// Note: the plugin is prepared for it: a caught error, an optional extension, an absent optional dependency.
	Note Rank = "note"
)

// Problem says what is wrong with a link.
type Problem string

// The problems of a link.
const (
	Missing      Problem = "missing"
	Inaccessible Problem = "inaccessible" // there, but not public any more
	Changed      Problem = "changed"      // a class became an interface or the other way round
	TooNew       Problem = "too-new"      // class files for a later Java; Class is the first of the jar
)

// Link is one thing that a plugin links to in vain. Class and Member are in the class file's form: java/lang/String, length,
// ()I; Member and Descriptor are empty for a class.
type Link struct {
	Plugin     string  `json:"plugin"`
	Problem    Problem `json:"problem"`
	Kind       string  `json:"kind"` // class, field or method
	Class      string  `json:"class"`
	Member     string  `json:"member,omitempty"`
	Descriptor string  `json:"descriptor,omitempty"`
	Rank       Rank    `json:"rank"`
	Why        string  `json:"why"` // the reason of problem and rank, one line
	// AtStart says that a class with the link is loaded when Jenkins starts: an extension, an initializer, the plugin's class.
	AtStart bool  `json:"atStart"`
	Uses    []Use `json:"uses"`
}

// Use is one place of a plugin that has the link.
type Use struct {
	Jar    string `json:"jar"`              // path within the plugin
	Class  string `json:"class"`            // org/example/Cloud$DescriptorImpl
	Member string `json:"member,omitempty"` // method or field with its descriptor; empty for the class itself
	How    string `json:"how"`              // code, extends, catch or signature
	// Guarded says that the code catches the error that a missing link raises.
	Guarded bool `json:"guarded,omitempty"`
	// Extension says that Jenkins loads this class when it starts.
	Extension bool `json:"extension,omitempty"`
}

// Check reads everything and resolves every link of every plugin. Errors name the archive and the entry that could not be read;
// a missing link is no error. It uses all processors, reads of the core what a plugin links to and what that stands on, and keeps headers
// alone of classes: a hundred megabytes of war and seventy plugins take seconds and a few hundred megabytes.
func Check(ctx context.Context, in Input) (Report, error) {
	var jdk *space
	set := &set{java: in.Java, names: newNames()}
	group, reading := errgroup.WithContext(ctx)
	group.Go(func() (err error) { jdk, err = openJDK(in.Java, set.names); return err })
	group.Go(func() error { return set.read(reading, in) })
	if err := group.Wait(); err != nil {
		return Report{}, err
	}
	set.arrange(jdk)
	return set.judge(ctx, runtime.GOMAXPROCS(0))
}

// String is the link in one line, as Java programmers write it.
func (l Link) String() string {
	return fmt.Sprintf("%s: %s %s %s", l.Plugin, l.Problem, l.Kind, l.Name())
}
