// Command jdkgen writes the index of Java classes that package linkcheck carries, from the lib/ct.sym of a JDK.
package main

import (
	"flag"
	"log"
	"os"

	"github.com/jomctl/jomctl/internal/linkcheck"
)

func main() {
	out := flag.String("o", "jdk.bin", "file to write")
	flag.Parse()
	f, err := os.Create(*out)
	if err != nil {
		log.Fatal(err)
	}
	if err := linkcheck.WriteJDK(f, flag.Arg(0)); err != nil {
		log.Fatal(err)
	}
	if err := f.Close(); err != nil {
		log.Fatal(err)
	}
}
