package layerfile

import "testing"

// A layer that is too large for memory is not kept there.
func TestLargeLayersAreNotKeptInMemory(t *testing.T) {
	t.Parallel()
	p := new(prefix)
	for range 3 {
		if _, err := p.Write(make([]byte, MaxKept/2)); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.parts) > 0 {
		t.Error("more than the bound is in memory")
	}
}
