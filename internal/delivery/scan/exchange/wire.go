package exchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// wire is an answer as it is written: its documents come after it, byte for byte. In a
// JSON text each of them, which has megabytes, would be read and written again.
type wire struct {
	Answer
	Lengths []lengths `json:"lengths"` // of each image, in bytes
}

type lengths struct {
	CycloneDX int64 `json:"cyclonedx"`
	SPDX      int64 `json:"spdx"`
}

// Write writes the answer: a line of JSON, then the documents of each image.
func (a Answer) Write(w io.Writer) error {
	head := wire{Answer: a}
	for _, image := range a.Images {
		head.Lengths = append(head.Lengths, lengths{int64(len(image.CycloneDX)), int64(len(image.SPDX))})
	}
	if err := json.NewEncoder(w).Encode(head); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	for _, image := range a.Images {
		for _, document := range [][]byte{image.CycloneDX, image.SPDX} {
			if _, err := w.Write(document); err != nil {
				return fmt.Errorf("write the answer: %w", err)
			}
		}
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
	var head wire
	if err := decoder.Decode(&head); err != nil {
		return Answer{}, err
	}
	if len(head.Lengths) != len(head.Images) {
		return Answer{}, fmt.Errorf("it has %d images, and documents of %d", len(head.Images), len(head.Lengths))
	}
	rest := io.MultiReader(decoder.Buffered(), bounded)
	if _, err := io.ReadFull(rest, make([]byte, len("\n"))); err != nil {
		return Answer{}, err
	}
	for i, l := range head.Lengths {
		var err error
		if head.Images[i].CycloneDX, err = readDocument(rest, l.CycloneDX, limit); err != nil {
			return Answer{}, fmt.Errorf("the CycloneDX document of %s: %w", head.Images[i].Ref.Short(), err)
		}
		if head.Images[i].SPDX, err = readDocument(rest, l.SPDX, limit); err != nil {
			return Answer{}, fmt.Errorf("the SPDX document of %s: %w", head.Images[i].Ref.Short(), err)
		}
	}
	if n, err := io.ReadFull(rest, make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		return Answer{}, errors.New("there is more after it")
	}
	return head.Answer, nil
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
