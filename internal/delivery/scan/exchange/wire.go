package exchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"
)

// Documents describe one image, each as a JSON document. Nil is none.
type Documents struct{ CycloneDX, SPDX []byte }

// lengths are those of Documents, in bytes.
type lengths struct {
	CycloneDX int64 `json:"cyclonedx"`
	SPDX      int64 `json:"spdx"`
}

// Write writes an answer: a line of JSON, a line with the lengths of the documents of
// each image, and the documents as they are. In a JSON text each of them, which has
// megabytes, would be read and written again. The first line is written, and read at
// the other end, while documents makes what follows.
func Write(w io.Writer, answer Answer, documents func() ([]Documents, error)) error {
	var all []Documents
	var group errgroup.Group
	group.Go(func() (err error) {
		all, err = documents()
		return err
	})
	if err := errors.Join(json.NewEncoder(w).Encode(answer), group.Wait()); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	var line []lengths
	var data [][]byte
	for _, d := range all {
		line = append(line, lengths{int64(len(d.CycloneDX)), int64(len(d.SPDX))})
		data = append(data, d.CycloneDX, d.SPDX)
	}
	err := json.NewEncoder(w).Encode(line)
	for _, d := range data {
		if err == nil {
			_, err = w.Write(d)
		}
	}
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// Read reads an answer that Write wrote, of at most limit bytes. Nothing may follow it,
// and a document has to be JSON.
func Read(r io.Reader, limit int64) (Answer, error) {
	bounded := &io.LimitedReader{R: r, N: limit + 1}
	answer, err := read(bounded)
	switch {
	case bounded.N <= 0:
		return Answer{}, fmt.Errorf("read the answer: it has more than %d bytes", limit)
	case err != nil:
		return Answer{}, fmt.Errorf("read the answer: %w", err)
	}
	return answer, nil
}

func read(bounded *io.LimitedReader) (Answer, error) {
	limit := bounded.N
	decoder := json.NewDecoder(bounded)
	var answer Answer
	var all []lengths
	if err := decoder.Decode(&answer); err != nil {
		return Answer{}, err
	}
	if err := decoder.Decode(&all); err != nil {
		return Answer{}, err
	}
	if len(all) != len(answer.Images) {
		return Answer{}, fmt.Errorf("it has %d images, and documents of %d", len(answer.Images), len(all))
	}
	rest := io.MultiReader(decoder.Buffered(), bounded)
	if _, err := io.ReadFull(rest, make([]byte, len("\n"))); err != nil {
		return Answer{}, err
	}
	for i, l := range all {
		image := &answer.Images[i]
		var err error
		if image.CycloneDX, err = readDocument(rest, l.CycloneDX, limit); err != nil {
			return Answer{}, fmt.Errorf("the CycloneDX document of %s: %w", image.Ref.Short(), err)
		}
		if image.SPDX, err = readDocument(rest, l.SPDX, limit); err != nil {
			return Answer{}, fmt.Errorf("the SPDX document of %s: %w", image.Ref.Short(), err)
		}
	}
	if n, err := io.ReadFull(rest, make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		return Answer{}, errors.New("there is more after it")
	}
	return answer, nil
}

// readDocument reads a JSON document of a length that the child chose. None has the length 0.
func readDocument(r io.Reader, length, limit int64) ([]byte, error) {
	if length == 0 {
		return nil, nil
	}
	if length < 0 || length > limit {
		return nil, fmt.Errorf("it cannot have %d bytes", length)
	}
	document := make([]byte, length)
	if _, err := io.ReadFull(r, document); err != nil {
		return nil, err
	}
	if !json.Valid(document) {
		return nil, errors.New("it is not JSON")
	}
	return document, nil
}
