package kafka

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// settings gives the settings of a topic, the defaults included.
func settings(ctx context.Context, client *kafka.Client, topic string) (map[string]string, error) {
	r, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic}},
	})
	if err != nil {
		return nil, err
	}
	if len(r.Resources) != 1 {
		return nil, fmt.Errorf("the broker tells the settings of %d topics, want those of %s", len(r.Resources), topic)
	}
	if err := r.Resources[0].Error; err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, e := range r.Resources[0].ConfigEntries {
		out[e.ConfigName] = e.ConfigValue
	}
	return out, nil
}
