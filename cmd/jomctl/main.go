// Command jomctl installs Jenkins on Mesos and keeps it working.
package main

import (
	"os"

	"github.com/jomctl/jomctl/internal/cli"
)

func main() { os.Exit(cli.Main()) }
