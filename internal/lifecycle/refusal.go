package lifecycle

import "github.com/jomctl/jomctl/internal/op"

// Refusal is op's, under the name by which all that is done to a cluster knows it.
type Refusal = op.Refusal
