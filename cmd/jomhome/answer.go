package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/jomctl/jomctl/internal/home"
	"github.com/jomctl/jomctl/internal/home/look"
)

// answerHome answers a question about the home of a controller file on stdout.
func answerHome(config, question string) int {
	ctx, stop := interruptible()
	defer stop()
	controller, err := home.LoadController(config)
	if err == nil && controller.History == nil {
		err = errors.New("the home has no history")
	}
	if err == nil {
		err = look.Serve(ctx, controller.Home, *controller.History, question, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "jomhome:", err)
		return 1
	}
	return 0
}
