package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jomctl/jomctl/internal/ui"
)

// askYesNo asks on Err and reads a line from In. Only y and yes are a yes; the end of the input is not an answer.
func askYesNo(ctx context.Context, streams ui.Streams, question string) (bool, error) {
	fmt.Fprintf(streams.Err, "%s? [y/N] ", question)
	type reply struct {
		line string
		err  error
	}
	replies := make(chan reply, 1)
	// Reading from a terminal cannot be cancelled; after an interrupt the process ends anyway.
	go func() {
		line, err := bufio.NewReader(streams.In).ReadString('\n')
		replies <- reply{line, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(streams.Err)
		return false, context.Cause(ctx)
	case r := <-replies:
		if r.err != nil && r.err != io.EOF {
			return false, fmt.Errorf("reading the answer: %w", r.err)
		}
		answer := strings.ToLower(strings.TrimSpace(r.line))
		return answer == "y" || answer == "yes", nil
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
