package event

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWholeNumbers(t *testing.T) {
	assert.Equal(t, `{"a":1,"b":"1.0 \" 2.0","c":0.05,"d":[128,1.15]}`, string(WholeNumbers([]byte(`{"a":1.0,"b":"1.0 \" 2.0","c":0.05,"d":[128.0,1.15]}`))))
}

func TestBus(t *testing.T) {
	b := NewBus(1)
	slow, quick := b.Attach(), b.Attach()
	b.Publish("one", map[string]any{"a": 1})
	got := <-quick
	assert.Equal(t, "one", got.Type)
	assert.Regexp(t, `^\{"a":1,"eventType":"one","timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"\}$`, string(got.Data))
	b.Publish("two", struct{}{})
	assert.Regexp(t, `^\{"eventType":"two",`, string((<-quick).Data))
	<-slow
	_, open := <-slow
	assert.False(t, open, "a reader that is behind is cut off")
	b.Close()
	_, open = <-quick
	assert.False(t, open)
	_, open = <-b.Attach()
	assert.False(t, open, "nobody attaches to a closed bus")
}
