package promote

import (
	"fmt"
	"hash/fnv"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// Shard is a part of the applications; the zero value is all of them.
type Shard struct{ number, of int }

// maxShards is how many jobs a matrix can have.
// https://docs.github.com/en/actions/how-tos/write-workflows/choose-what-workflows-do/run-job-variations
const maxShards = 256

// ParseShard reads N/OF, such as 3/10. Empty is all.
func ParseShard(s string) (Shard, error) {
	if s == "" {
		return Shard{}, nil
	}
	var shard Shard
	_, err := fmt.Sscanf(s, "%d/%d", &shard.number, &shard.of)
	exact := err == nil && s == fmt.Sprintf("%d/%d", shard.number, shard.of)
	if !exact || shard.number < 1 || shard.number > shard.of || shard.of > maxShards {
		return Shard{}, outcome.Usagef("--shard: %q is not N/OF, such as 3/10, with N from 1 to OF and OF at most %d", s, maxShards)
	}
	return shard, nil
}

// has reports whether an application is in the part. It goes by the name alone, so
// that one more application moves no other into another part.
func (s Shard) has(app string) bool {
	if s.of == 0 {
		return true
	}
	h := fnv.New32a()
	h.Write([]byte(app))
	return int(h.Sum32()%uint32(s.of))+1 == s.number
}
