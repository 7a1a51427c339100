package terraform

import (
	"fmt"
	"net/http"
)

const ec2Namespace = `xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"`

// ec2 answers the questions of the module's data sources as EC2 does, and everything else with an error.
func ec2() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		switch action := r.Form.Get("Action"); action {
		case "DescribeAvailabilityZones":
			zone := func(name string) string {
				return "<item><zoneName>" + name + "</zoneName><zoneState>available</zoneState><regionName>eu-central-1</regionName><zoneType>availability-zone</zoneType></item>"
			}
			fmt.Fprintf(w, "<DescribeAvailabilityZonesResponse %s><availabilityZoneInfo>%s%s</availabilityZoneInfo></DescribeAvailabilityZonesResponse>",
				ec2Namespace, zone("eu-central-1a"), zone("eu-central-1b"))
		case "DescribeImages":
			image := func(id, created string) string {
				return "<item><imageId>" + id + "</imageId><imageState>available</imageState><imageOwnerId>" + r.Form.Get("Owner.1") + "</imageOwnerId><name>debian-12-amd64-" + created +
					"</name><creationDate>" + created + "T00:00:00.000Z</creationDate><architecture>x86_64</architecture><rootDeviceType>ebs</rootDeviceType></item>"
			}
			fmt.Fprintf(w, "<DescribeImagesResponse %s><imagesSet>%s%s</imagesSet></DescribeImagesResponse>",
				ec2Namespace, image("ami-0older", "2025-01-13"), image("ami-0debian12", "2026-03-16"))
		default:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, "<Response><Errors><Error><Code>InvalidAction</Code><Message>no %s here</Message></Error></Errors></Response>", action)
		}
	})
}
