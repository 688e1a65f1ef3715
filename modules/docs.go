package modules

import "reflect"

func readDocs(_ string, _ *schema) Docs { return Docs{} }

func returnDocs(_ string, _ reflect.Type) []ReturnDoc { return nil }
